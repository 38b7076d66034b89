// game.cc: a game for up to eight people in a room, with its page (game_page.h) at /play.
//
// A client sends, and the server answers as each function below says:
//   {"type": "join-game", "roomId": "default", "roomName": …, "username": …, "config": {…}}      all but the type may be left out
//   {"type": "player-action", "action": "move", "x": 10, "y": 20}     … "attack"     … "use-powerup", "powerUp": "shield"
//   {"type": "chat", "text": "hello"}
//
// The rules. A game begins with two players and ends when at most one is alive, when one is left, or when its time is over. An
// attack takes 25 health of the nearest living player within 50, four times a second at most. Now and then a power-up appears:
// who comes within 30 of it has it, up to four, until it is used. "health" gives 50 back, at once; the others last five seconds:
// "damage" doubles what an attack takes, "shield" lets no attack through, "speed" is the page's to play, as positions are taken
// as they are said. Whoever is out watches. A room that has finished begins again with the next join-game in it, by a member or
// by somebody new; its players start afresh. Whoever joins another room leaves the one before; the room itself goes with its
// last player. The first in a room may choose its powerUpSpawnRate, gameMode and timeLimit (minutes).
//
// There is one loop for each room that plays, and every message goes to all of the room once, whatever their number.
#include "clock.h"
#include "gallery.h"
#include "game_flight.h"
#include "game_page.h"
#include "game_script.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

using namespace martlet;
using namespace martlet::literals;
using Clock = std::chrono::steady_clock;

namespace {

constexpr double kWidth = 1000, kHeight = 800;
constexpr size_t kMaxPlayers = 8, kMaxHeld = 4, kMaxLying = 10;  // power-ups: of one player, on the map
constexpr milliseconds kTick = 33ms;                              // 30 times a second
constexpr milliseconds kCooldown = 250ms, kEffect = 5s;
constexpr double kReach = 50, kPickUpReach = 30;
constexpr int kDamage = 25, kHealth = 100, kHealing = 50, kEliminationScore = 100;
constexpr std::string_view kPowerUps[] = {"health", "speed", "damage", "shield"};
constexpr std::string_view kModes[] = {"deathmatch", "team", "survival"};  // a name for people: the rules are the same
constexpr size_t kMaxText = 64;                                            // bytes of a name; a chat's are limited by the route

struct Config {
  double spawn_rate = 0.02;  // a power-up, per turn of the loop
  std::string_view mode = kModes[0];
  double time_limit = 10;  // minutes

  Json to_json() const {
    return {{"mapSize", {{"width", kWidth}, {"height", kHeight}}}, {"powerUpSpawnRate", spawn_rate}, {"gameMode", mode}, {"timeLimit", time_limit}};
  }
};

struct PowerUp {
  std::string id;
  std::string_view type;
  double x, y;

  Json to_json() const { return {{"type", type}, {"x", x}, {"y", y}, {"id", id}}; }
};

struct Player {
  WebSocket socket;
  std::string id, username, room;
  double x = 0, y = 0;
  int health = kHealth, score = 0;
  bool alive = true;
  std::vector<std::string_view> power_ups = {};
  gallery::SystemTime last_action = std::chrono::system_clock::now();
  Clock::time_point next_attack = {}, damage_until = {}, shield_until = {};

  // What the loop tells, and what else is told once.
  Json state() const {
    Json held = Json::array();
    for (const std::string_view type : power_ups) held.push_back(type);
    return {{"id", id}, {"username", username}, {"x", x}, {"y", y}, {"health", health}, {"score", score}, {"isAlive", alive}, {"powerUps", std::move(held)}};
  }
  Json to_json() const {
    Json json = state();
    json["room"] = room;
    json["lastAction"] = gallery::iso(last_action);
    return json;
  }
};

double distance(double ax, double ay, double bx, double by) { return std::hypot(ax - bx, ay - by); }

Json list_of(const std::vector<Player>& players) {
  Json list = Json::array();
  for (const Player& player : players) list.push_back(player.to_json());
  return list;
}

struct GameRoom {
  enum class State { waiting, playing, finished };

  std::string id, name;
  Config config;
  std::vector<Player> players = {};
  std::vector<PowerUp> lying = {};
  State state = State::waiting;
  gallery::SystemTime start_time = {};
  Clock::time_point started = {};
  int64_t last_power_up = 0;  // what its id was made of
  TimerId loop = {};

  std::string_view state_name() const { return state == State::waiting ? "waiting" : state == State::playing ? "playing" : "finished"; }
  std::string key() const { return "game/" + id; }  // rooms are the whole App's: this is nobody else's name

  Player* find(WebSocket ws) {
    const auto found = std::find_if(players.begin(), players.end(), [ws](const Player& player) { return player.socket == ws; });
    return found == players.end() ? nullptr : &*found;
  }
  long alive() const { return std::count_if(players.begin(), players.end(), [](const Player& player) { return player.alive; }); }

  // Of those who live, and are near enough.
  Player* nearest_to(const Player& from) {
    Player* nearest = nullptr;
    double least = kReach;
    for (Player& other : players) {
      const double far = distance(from.x, from.y, other.x, other.y);
      if (&other == &from || !other.alive || far > least || (nearest && far == least)) continue;
      nearest = &other;
      least = far;
    }
    return nearest;
  }

  Json to_json() const {
    Json ups = Json::array();
    for (const PowerUp& each : lying) ups.push_back(each.to_json());
    Json json = {{"id", id}, {"name", name}, {"players", list_of(players)}, {"gameState", state_name()}, {"maxPlayers", kMaxPlayers}, {"config", config.to_json()}, {"powerUps", std::move(ups)}};
    if (state == State::playing) json["startTime"] = gallery::iso(start_time);
    return json;
  }
};
using State = GameRoom::State;

std::string text_of(const Json& value, const std::string& otherwise) {
  const std::string_view text = value.text_or("");
  return text.empty() || text.size() > kMaxText ? otherwise : std::string(text);
}

Config config_of(const Json& wanted) {
  Config config;
  config.spawn_rate = std::clamp(wanted["powerUpSpawnRate"].number_or(config.spawn_rate), 0.0, 1.0);
  config.time_limit = std::clamp(wanted["timeLimit"].number_or(config.time_limit), 0.001, 60.0);
  for (const std::string_view mode : kModes) {
    if (wanted["gameMode"] == mode) config.mode = mode;
  }
  return config;
}

class Game {
 public:
  explicit Game(App& app) : app_(app) {}

  void receive(WebSocket from, const Message& message) {
    const JsonResult<Json> read = message.json();
    if (message.is_binary() || !read) return void(from.send({{"type", "error"}, {"message", "Invalid message format"}}));
    const Json& said = *read;
    const std::string_view type = said["type"].text_or("");
    if (type == "join-game") return join(from, said);
    GameRoom* room = room_of(from);
    if (!room) return;
    Player& player = *room->find(from);
    if (type == "player-action" && room->state == State::playing && player.alive) act(*room, player, said);
    if (type == "chat" && said["text"].is_string()) {
      others(player).send({{"type", "game-chat"}, {"username", player.username}, {"message", said["text"]}, {"timestamp", gallery::iso_now()}});
    }
  }

  void leave(WebSocket ws) {
    GameRoom* room = room_of(ws);
    if (!room) return;
    ws.data<Seat>().room.clear();
    ws.leave(room->key());
    std::erase_if(room->players, [ws](const Player& player) { return player.socket == ws; });
    all(*room).send({{"type", "player-left"}, {"playerId", ws.id()}, {"remainingPlayers", room->players.size()}});
    if (room->players.size() < 2) end(*room, "insufficient_players");
    end_when_decided(*room);
    if (room->players.empty()) rooms_.erase(room->id);
  }

 private:
  struct Seat {
    std::string room;  // the id; empty: in none
  };

  Audience all(const GameRoom& room) const { return app_.to(room.key()); }
  Audience others(const Player& player) const { return player.socket.to("game/" + player.room); }

  GameRoom* find(const std::string& id) {
    const auto found = rooms_.find(id);
    return found == rooms_.end() ? nullptr : &found->second;
  }
  GameRoom* room_of(WebSocket ws) { return find(ws.data<Seat>().room); }

  double random_below(double most) { return std::uniform_real_distribution<double>(0, most)(random_); }

  // Coming, beginning, ending ----------------------------------------------------------------------------------------

  void join(WebSocket ws, const Json& said) {
    const std::string id = text_of(said["roomId"], "default");
    GameRoom* room = find(id);
    const bool inside = room && room == room_of(ws);
    if (!inside) {
      if (room && room->players.size() >= kMaxPlayers) {
        return void(ws.send({{"type", "error"}, {"message", "🚫 Game room is full"}, {"maxPlayers", kMaxPlayers}}));
      }
      leave(ws);
      if (!room) room = &rooms_.emplace(id, GameRoom{id, text_of(said["roomName"], "Game Room " + id), config_of(said["config"])}).first->second;
    }
    if (room->state == State::finished) begin_again(*room);
    if (!inside) add_player(*room, ws, said);
    const Player& player = *room->find(ws);
    ws.send({{"type", "game-joined"}, {"player", player.to_json()}, {"room", room->to_json()}, {"players", list_of(room->players)}, {"gameState", room->state_name()}});
    if (!inside) others(player).send({{"type", "player-joined"}, {"player", player.to_json()}, {"totalPlayers", room->players.size()}});
    if (room->state == State::waiting && room->players.size() >= 2) start(*room);
  }

  void add_player(GameRoom& room, WebSocket ws, const Json& said) {
    const std::string id = ws.id();
    Player player{ws, id, text_of(said["username"], "Player_" + id.substr(id.size() - 4)), room.id};
    player.x = random_below(kWidth);
    player.y = random_below(kHeight);
    room.players.push_back(std::move(player));
    ws.data<Seat>().room = room.id;
    ws.join(room.key());
  }

  void begin_again(GameRoom& room) {
    room.state = State::waiting;
    for (Player& player : room.players) {
      player = Player{player.socket, std::move(player.id), std::move(player.username), room.id};
      player.x = random_below(kWidth);
      player.y = random_below(kHeight);
    }
  }

  void start(GameRoom& room) {
    room.state = State::playing;
    room.start_time = std::chrono::system_clock::now();
    room.started = Clock::now();
    room.lying.clear();
    room.loop = app_.every(kTick, [this, id = room.id] { turn(*find(id)); });  // end() stops it before the room can go
    all(room).send({{"type", "game-started"}, {"room", room.id}, {"startTime", gallery::iso(room.start_time)}, {"config", room.config.to_json()}});
  }

  // A game ends once, whatever ends it first.
  void end(GameRoom& room, std::string_view reason) {
    if (room.state != State::playing) return;
    room.state = State::finished;
    app_.cancel(room.loop);
    std::vector<Player> scores = room.players;
    std::stable_sort(scores.begin(), scores.end(), [](const Player& a, const Player& b) { return std::pair(a.score, a.alive) > std::pair(b.score, b.alive); });
    const int64_t ms = std::chrono::duration_cast<milliseconds>(Clock::now() - room.started).count();
    all(room).send({{"type", "game-ended"}, {"reason", reason}, {"winner", scores.empty() ? Json() : scores[0].to_json()}, {"finalScores", list_of(scores)}, {"duration", ms}});
  }

  void end_when_decided(GameRoom& room) {
    if (room.alive() <= 1) end(room, "last_player_standing");
  }

  // What players do: those who live, while it is played -----------------------------------------------------------------

  void act(GameRoom& room, Player& player, const Json& said) {
    player.last_action = std::chrono::system_clock::now();
    const std::string_view action = said["action"].text_or("");
    if (action == "move" && said["x"].is_number() && said["y"].is_number()) move(player, said["x"].number_or(0), said["y"].number_or(0));
    if (action == "attack") attack(room, player);
    if (action == "use-powerup") use(player, said["powerUp"].text_or(""));
  }

  void move(Player& player, double x, double y) {
    player.x = std::clamp(x, 0.0, kWidth);
    player.y = std::clamp(y, 0.0, kHeight);
    others(player).send({{"type", "player-moved"}, {"playerId", player.id}, {"x", player.x}, {"y", player.y}, {"timestamp", gallery::now_ms()}});
  }

  void attack(GameRoom& room, Player& player) {
    const Clock::time_point now = Clock::now();
    if (now < player.next_attack) return;
    player.next_attack = now + kCooldown;
    Player* target = room.nearest_to(player);
    if (!target || now < target->shield_until) return;
    target->health = std::max(0, target->health - (now < player.damage_until ? 2 * kDamage : kDamage));
    if (target->health > 0) return;
    target->alive = false;
    player.score += kEliminationScore;
    all(room).send({{"type", "player-eliminated"}, {"killer", player.id}, {"victim", target->id}, {"killerScore", player.score}});
    end_when_decided(room);
  }

  void use(Player& player, std::string_view type) {
    const auto held = std::find(player.power_ups.begin(), player.power_ups.end(), type);
    if (held == player.power_ups.end()) return;
    player.power_ups.erase(held);
    const Clock::time_point until = Clock::now() + kEffect;
    if (type == "health") player.health = std::min(kHealth, player.health + kHealing);
    if (type == "damage") player.damage_until = until;
    if (type == "shield") player.shield_until = until;
    others(player).send({{"type", "powerup-used"}, {"playerId", player.id}, {"powerUp", type}});
  }

  // The loop ---------------------------------------------------------------------------------------------------------

  void turn(GameRoom& room) {
    if (Clock::now() - room.started >= std::chrono::duration<double>(room.config.time_limit * 60)) return end(room, "time_limit");
    for (Player& player : room.players) pick_up(room, player);
    if (random_below(1) < room.config.spawn_rate && room.lying.size() < kMaxLying) spawn(room);
    Json players = Json::array();
    for (const Player& player : room.players) players.push_back(player.state());
    all(room).send({{"type", "game-state-update"}, {"players", std::move(players)}, {"timestamp", gallery::now_ms()}});
  }

  void pick_up(GameRoom& room, Player& player) {
    std::erase_if(room.lying, [&](const PowerUp& each) {
      const bool taken = player.alive && player.power_ups.size() < kMaxHeld && distance(player.x, player.y, each.x, each.y) <= kPickUpReach;
      if (!taken) return false;
      player.power_ups.push_back(each.type);
      all(room).send({{"type", "powerup-collected"}, {"playerId", player.id}, {"powerUp", each.to_json()}});
      return true;
    });
  }

  void spawn(GameRoom& room) {
    room.last_power_up = std::max(gallery::now_ms(), room.last_power_up + 1);
    const size_t type = std::uniform_int_distribution<size_t>(0, std::size(kPowerUps) - 1)(random_);
    room.lying.push_back({"powerup_" + std::to_string(room.last_power_up), kPowerUps[type], random_below(kWidth), random_below(kHeight)});
    all(room).send({{"type", "powerup-spawned"}, {"powerUp", room.lying.back().to_json()}});
  }

  App& app_;
  std::map<std::string, GameRoom> rooms_;
  std::minstd_rand random_{std::random_device()()};
};

}  // namespace

void gallery::game(App& app, Router& routes) {
  auto game = std::make_shared<Game>(app);
  routes.ws("/game", {.max_message_bytes = 4_KiB}, [game](WebSocket ws) {
    ws.on_message([game](WebSocket from, const Message& message) { game->receive(from, message); });
    ws.on_close([game](WebSocket gone, const CloseInfo&) { game->leave(gone); });
  });

  routes.get("/play.css", [](Request&) { return Reply(200, kGameStyle, "css"); });
  routes.get("/play.js", [](Request&) { return Reply(200, kGameScript, "js"); });
  routes.get("/flight.js", [](Request&) { return Reply(200, kGameFlight, "js"); });
  routes.get("/play", [](Request&) {
    return Reply(200, kGamePage, "html")
        .set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
                                        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
  });
}
