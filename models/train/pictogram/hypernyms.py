"""Which known things are nearest by meaning to an English noun of which there is no picture. Depends on nothing.

    python -m pictogram.hypernyms --words DIR --out models/train/words/near.en.tsv

Owns the choice of WordNet's sense for every concept and of what counts as near. WordNet 3.0 is read from `/usr/share/wordnet`
(Debian's `wordnet-base`); its licence is in `models/train/words/LICENCE-WordNet.txt`. A word's nearest things are those that the
fewest steps lead to: up to a hypernym that both share, and down. A hypernym as general as "artifact" joins nothing.
"""

import argparse
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

WORDNET = Path("/usr/share/wordnet")
MOST = 12_000  # words
HEADER = """\
# English nouns of which there is no picture, and the ids of the known things that are nearest by meaning.
# Derived from WordNet 3.0, with corrections. WordNet 3.0 Copyright 2006 by Princeton University. All rights reserved.
# Its licence, the WordNet License, is in LICENCE-WordNet.txt beside this file.
# SPDX-License-Identifier: LicenseRef-WordNet
# Made by: python -m pictogram.hypernyms --words DIR --out models/train/words/near.en.tsv"""
NEAREST = 3  # things of a word
LEXNAMES = dict(enumerate(
    "top act animal artifact attribute body cognition communication event feeling food group location motive object person"
    " phenomenon plant possession process quantity relation shape state substance time".split(), 3
))  # fmt: skip
KINDS = {"animal", "plant", "food", "artifact", "body", "object", "person", "phenomenon", "substance"}

# Which kinds a concept's name may have, by the beginning of its group; one sense of each is taken where there are two.
GROUPS = {
    "animal": ["animal"], "food-marine": ["animal", "food"], "food-fruit": ["food", "plant"], "food-vegetable": ["food", "plant"],
    "food": ["food"], "drink": ["food", "artifact"], "plant": ["plant"], "person": ["person"], "body": ["body"],
    "sky": ["phenomenon", "object", "artifact"], "place": ["artifact", "object"], "book": ["artifact", "communication"],
}  # fmt: skip
BOTH = ("food-marine", "food-fruit", "food-vegetable")
THINGS = ["artifact"]
# Groups whose pictures are no things but faces, signs, and gestures.
SIGNS = re.compile("face|heart|hand|geometric|emotion|gesture|monkey|religion|mail|group")
# Concepts whose sense the rule misses: lemma.sense of WordNet, none if nothing is meant by it.
MEANT = {
    # sky, earth, fire
    "2600": "sun.1", "2603": "", "2601": "cloud.2 cloud.1", "26a1": "lightning.1", "2b50": "star.1 star.3", "1f300": "cyclone.2 hurricane.1", "1f305": "sunrise.2",
    "1f307": "sunset.2", "1f308": "rainbow.1", "1f30a": "wave.1 tsunami.1", "1f30b": "volcano.2", "1f320": "", "1f30d": "earth.1", "1f310": "globe.3",
    "1f319": "moon.6 moon.1", "1f328": "snow.1", "1f327": "rain.1 rain_cloud.1", "1f525": "fire.1 fire.3", "1f4a7": "raindrop.1", "1fa90": "planet.1",
    "1f3d4": "", "1f3dd": "island.1", "1f3d6": "beach.1", "26f0": "mountain.1", "1faa8": "rock.1", "1f573": "", "1f9ca": "ice_cube.1 ice.1", "26c8": "thunderstorm.1",
    "2744": "snowflake.1", "1f32b": "fog.1 haze.1", "1fae7": "bubble.1",
    # animals
    "1f402": "ox.1", "1f404": "cow.1 cattle.1", "1f408-200d-2b1b": "", "1f409": "dragon.1", "1f42c": "dolphin.2", "1f43c": "giant_panda.1", "1f42b": "bactrian_camel.1",
    "1f994": "hedgehog.2", "1f99a": "peacock.2 peafowl.1", "1fabc": "jellyfish.2 jellyfish.1", "1f996": "tyrannosaur.1", "1f984": "unicorn.1", "1f426-200d-1f525": "phoenix.3",
    "1f41a": "seashell.1 conch.1", "1f420": "butterfly_fish.1 angelfish.1", "1f578": "spider_web.2 spider_web.1", "1fab9": "nest.1", "1f43e": "paw.1", "1f43d": "snout.1",
    "1f423": "", "1f424": "chick.1", "1f9a0": "microorganism.1 virus.1", "1f41b": "bug.1 insect.1", "1fab2": "beetle.1", "1fab8": "coral.4", "1f9ab": "beaver.7",
    "1f99e": "lobster.2 lobster.1", "1f9ae": "guide_dog.1", "1f415-200d-1f9ba": "working_dog.1", "1f411": "sheep.1 ewe.1 lamb.1", "1f40f": "ram.5", "1f433": "",
    "1f41f": "fish.1 fish.2 saltwater_fish.1 freshwater_fish.1", "1f421": "pufferfish.2", "1f414": "chicken.2", "1f95a": "egg.2 egg.1", "1fabd": "wing.1", "1fab6": "feather.1", "1f43b": "bear.1", "1f98d": "gorilla.1 ape.1",
    "1f40b": "whale.2", "1f982": "scorpion.3", "1f417": "boar.1 wild_boar.1", "1f416": "pig.1 swine.1", "1f401": "mouse.1", "1f995": "dinosaur.1 sauropod.1",
    # plants
    "2618": "shamrock.1 clover.1", "1f330": "chestnut.3 chestnut.2", "1f352": "cherry.3 cherry.2", "1f332": "pine.1 conifer.1 fir.1", "1f333": "tree.1", "1f343": "leaf.1",
    "1f33c": "flower.1 flower.2 blossom.1", "1f344": "mushroom.1 mushroom.2 mushroom.3 mushroom.5 fungus.1", "1f344-200d-1f7eb": "", "1f33e": "wheat.1 rice.2 grass.1 cereal.1",
    "1f33f": "herb.2 herb.1 basil.1", "1f955": "carrot.3 carrot.2", "1f95c": "peanut.4 nut.1", "1f965": "coconut.2 coconut.3", "1f96c": "lettuce.3 cabbage.1 cabbage.2",
    "1fad2": "olive.4 olive.2", "1f9c5": "onion.3 onion.2", "1fada": "ginger.3 ginger.1", "1f383": "pumpkin.2 pumpkin.1", "1fad8": "bean.1 bean.3", "1f3f5": "", "1f490": "bouquet.1",
    "1fab7": "lotus.1 water_lily.1", "1fabb": "hyacinth.2 lavender.1", "1f33d": "corn.3 corn.1", "1f34b-200d-1f7e9": "lime.6 lime.4", "1fadb": "pea.1", "1f95d": "kiwi.3",
    "1fab4": "houseplant.1 pot_plant.1", "1f360": "sweet_potato.2", "1f38b": "bamboo.2", "1f384": "christmas_tree.5", "1f331": "seedling.1 sapling.1 sprout.1",
    # food
    "1f32d": "hot_dog.2 frankfurter.1 sausage.1", "1f354": "hamburger.1", "1f35c": "noodle.1", "1f35d": "spaghetti.1 spaghetti.2 pasta.2", "1f36d": "lollipop.2", "1f370": "cake.3 cheesecake.1",
    "1f382": "birthday_cake.1", "1f372": "stew.2 soup.1 casserole.1 pot.1", "1f373": "fried_egg.1 pan.1", "1f356": "meat.1", "1f357": "drumstick.1 chicken.1", "1f36f": "honey.1", "1f36e": "custard.1 pudding.3 flan.1",
    "1fad5": "fondue.2", "1f374": "fork.1", "1f377": "wine.1 wineglass.1", "1f378": "cocktail.1", "1f379": "", "1f37a": "beer.1", "1f37c": "", "1f37d": "plate.4 dish.1", "1f37e": "bottle.1",
    "1f943": "whiskey.1 tumbler.2", "1f942": "", "1f944": "spoon.1", "1f962": "chopstick.1", "1f963": "cereal.3 porridge.1 bowl.3 bowl.1", "1f964": "soda.2 soft_drink.1", "1f9c3": "juice.1 fruit_juice.1",
    "1f96b": "can.1", "1f959": "gyro.1", "1f362": "kabob.1", "1f364": "tempura.1", "1f365": "", "1f368": "", "1f366": "ice_cream.1", "1f9c9": "mate.9", "1f95b": "milk.1 glass.2", "1f35b": "curry.1", "1f958": "paella.1 pan.1", "2615": "coffee.1 coffee.3 cup.1",
    "1f967": "pie.1 tart.2", "1f375": "tea.1 tea.5", "1f969": "steak.1 beef.2", "1f358": "cracker.1", "1f96a": "sandwich.1", "1f376": "sake.2", "1f9c2": "salt.2 saltshaker.1", "1fad4": "tamale.2",
    "1f37f": "popcorn.2", "1f36c": "candy.1 ", "1f9c8": "butter.1 margarine.1",
    # body
    "1f590": "hand.1", "1f444": "mouth.2 lip.1", "1f440": "", "1fac0": "heart.2", "1fac1": "lung.1", "1f480": "skull.1", "1f442": "ear.3 ear.1", "1f9b0": "", "1f4aa": "muscle.1 biceps.1",
    "1fa78": "blood.1", "1f9be": "", "1f9bf": "", "1f43f": "squirrel.1 chipmunk.1",
    # clothes
    "26d1": "helmet.2", "1f456": "jean.1 trouser.1", "1f460": "", "1f451": "crown.4", "1f48d": "ring.8", "1f48e": "diamond.1 jewel.1 gem.5 gemstone.1 diamond.2", "1f3bd": "tank_top.1", "1f393": "mortarboard.2",
    "1f455": "t-shirt.1 shirt.1", "1f9ba": "life_jacket.1", "1f9e4": "glove.2", "1f9e6": "sock.1 stocking.1", "1f97e": "", "1f97f": "", "1f9e2": "cap.1 baseball_cap.1", "1f3a9": "top_hat.1 hat.1",
    "1f45b": "purse.3", "1f45c": "handbag.1", "1f392": "backpack.1", "1f9e5": "coat.1 jacket.1", "1fa72": "underpants.1 underwear.1", "1f6cd": "sack.1 bag.1", "1f94b": "", "1f935": "groom.1", "1f47e": "",
    "1fa74": "flip-flop.2", "1f45d": "clutch_bag.1", "1f45a": "blouse.1", "1fa70": "", "1fa96": "helmet.1", "1f4ff": "rosary.1",
    # tools and household
    "2696": "scale.7 balance.12", "26d3": "chain.3", "1f528": "hammer.2", "1f527": "wrench.3", "1f529": "screw.4 bolt.6 nut_and_bolt.1", "1f517": "", "1f52a": "knife.1 knife.2", "1f5e1": "dagger.1 sword.1",
    "1f52b": "water_pistol.1 gun.1 pistol.1", "1f6e1": "shield.2", "1f50c": "plug.5", "1f513": "", "1f512": "lock.1 padlock.1", "1f6bd": "toilet.2", "1fab5": "log.1 firewood.1", "1fa9d": "hook.4 hook.5", "1f9ee": "abacus.2",
    "1faa4": "mousetrap.1", "1faa3": "bucket.1", "1f9fd": "", "1f9fb": "toilet_tissue.1", "1f9e9": "jigsaw_puzzle.1", "1fa84": "wand.1", "1fa86": "doll.1", "1fa87": "maraca.1", "1fa88": "flute.1", "1f3ee": "lantern.1",
    "1fa94": "oil_lamp.1", "1f6d2": "shopping_cart.1 handcart.1", "1faad": "fan.1", "1f3af": "target.4", "1f380": "bow.8 ribbon.4", "1f388": "balloon.2 balloon.1", "1f3a0": "carousel.2", "1f386": "", "1f387": "sparkler.2 firework.1",
    "1f3f9": "bow_and_arrow.1 bow.4 arrow.2", "1faa2": "knot.2 rope.1", "1f5dc": "clamp.1", "1f9f4": "lotion.1 lotion.2", "1f9f5": "thread.1", "1f9f6": "yarn.2", "1faa0": "plunger.3", "1f6df": "life_preserver.1",
    "1fa9f": "window.1", "1f6aa": "door.1", "1fa9e": "mirror.1", "1f3ad": "mask.1", "1f5bc": "painting.1 picture.1", "1f5fd": "statue.1", "1f9ea": "test_tube.1", "1f48a": "pill.2 capsule.4", "1f9b4": "bone.1",
    "1f56f": "candle.1", "1f4a1": "light_bulb.1", "1f526": "flashlight.1", "1faa1": "sewing_needle.1 needle.3", "1f9f9": "broom.1", "1fa91": "chair.1 seat.3", "1f4ba": "", "1f54e": "menorah.1", "1f4a3": "bomb.1",
    "26b1": "urn.1", "1fad9": "jar.1", "1f3fa": "amphora.1", "1f6a8": "siren.4", "1f6ac": "cigarette.1", "2697": "alembic.1", "1f396": "medal.1", "1f3c6": "trophy.2", "1f3c5": "medal.1", "1f916": "robot.1",
    "1f50e": "", "1f4e2": "loudspeaker.1", "1f508": "", "1f9af": "cane.1 walking_stick.1", "2702": "scissors.1", "1f6bf": "shower.1", "1f6cb": "couch.1", "1f9f8": "teddy.1 teddy_bear.1", "1f485": "nail_polish.1",
    "1f381": "gift.1", "1f0cf": "joker.4 playing_card.1", "2660": "", "265f": "chessman.1 pawn.3", "1f3b2": "dice.1", "26bd": "soccer_ball.1", "26be": "baseball.2 ballplayer.1", "1f3c8": "football.2 football_player.1", "1f3d3": "", "1f3f8": "badminton_racket.1 shuttlecock.1",
    "1f945": "goal.3", "1f94d": "", "1f3cf": "cricket_bat.1", "1f3bf": "ski.1", "1f6f7": "sled.1", "1f579": "joystick.2", "1f3b3": "bowling_ball.1", "1f94f": "", "1f3b9": "piano.1 synthesizer.2", "1fa98": "bongo.1",
    "1f3bc": "", "1f3b5": "", "1f3b6": "", "1f3bb": "violin.1", "1f4ef": "post_horn.1", "1f3a7": "headphone.1 earphone.1", "1f5ff": "", "1f4c0": "", "1f4bf": "compact_disk.1", "1f4fc": "videotape.2",
    # office
    "1f4d3": "notebook.1", "1f4d2": "ledger.2", "1f4d5": "book.2", "1f4d8": "", "1f4da": "", "1f4f0": "newspaper.1 newspaper.3", "1f4c4": "sheet.2", "1f4dd": "", "1f4d0": "set_square.1", "1f4c1": "folder.2",
    "1f4c5": "calendar.2", "1f3ab": "ticket.1", "1f4b3": "credit_card.1", "1f4b5": "dollar.2 bill.3 banknote.1", "1fa99": "coin.1", "1f4b0": "", "1f4ca": "bar_chart.1 chart.1", "1f4c8": "graph.1", "1f5fa": "map.1",
    "1f3f7": "label.1 ", "1f5a8": "printer.2 printer.3", "1f5a5": "computer.1", "1f4be": "floppy.1", "2328": "computer_keyboard.1", "1f4e7": "", "1f4e6": "package.2 box.1", "2709": "envelope.1", "1f4eb": "mailbox.1",
    "1f4ee": "mailbox.2", "1f4e1": "dish.5", "1f4f9": "camcorder.1", "1f4e0": "facsimile.2", "1f4fa": "television_receiver.1", "1f4f1": "cellular_telephone.1", "1f50d": "magnifying_glass.1", "1f4dc": "scroll.2", "1faaa": "",
    "1f58b": "fountain_pen.1", "1f58a": "pen.1", "1f58c": "paintbrush.1", "1f5d1": "ashcan.1", "1f4df": "pager.1", "1f50b": "battery.2",
    # vehicles and buildings
    "2708": "airplane.1", "1f6e9": "", "1f6f4": "scooter.2", "1f6b2": "bicycle.1", "1f690": "van.5 minivan.1", "1f68a": "streetcar.1", "1f68b": "", "1f6f8": "spacecraft.1", "1f6e4": "railroad_track.1", "1f6e2": "barrel.2 drum.4",
    "1f69e": "funicular.1", "1f6a0": "cable_car.1", "1f6a3": "rowboat.1", "1f6fa": "", "1f687": "subway.1 subway_train.1", "26f5": "sailboat.1 boat.1 yacht.1", "1f69a": "truck.1", "1f6e3": "highway.1 road.1",
    "1f6a6": "traffic_light.1", "1f6d1": "sign.4", "1faa7": "signboard.1", "1f6a7": "", "1f6de": "wheel.1", "1f680": "rocket.1", "1f682": "locomotive.1", "1f6a2": "ship.1", "1f9f3": "bag.6 baggage.1", "1f6f3": "liner.4",
    "1f3db": "temple.1", "1f6d5": "temple.3", "26e9": "shrine.1", "1f3f0": "castle.2 palace.1", "1f3ef": "", "1f3e6": "bank.9", "1f3e2": "office_building.1 skyscraper.1", "1f3e3": "", "1f3e9": "", "1f6d6": "hut.2", "1f3d8": "", "1f3e1": "",
    "1f3da": "", "1f3d9": "", "1f3de": "", "1f9f1": "brick.1 wall.1", "1f309": "bridge.1", "1f6dd": "slide.4", "26fa": "tent.1", "1f3aa": "", "1f5fc": "tower.1", "1faa6": "gravestone.1 grave.2", "26f2": "fountain.1 fountain.3",
    "1f3e0": "house.1 building.1", "1f3ea": "shop.1 convenience_store.1", "1f3ec": "department_store.1", "1f54b": "", "1f9d6": "sauna.1", "1f68f": "", "1f3df": "stadium.1", "1f6d0": "", "26ea": "church.2", "1f688": "", "1f69d": "monorail.1",
    "1f3ed": "factory.1",
    # people
    "1f9d7": "climber.4 mountaineer.1", "1f9d9": "sorcerer.1", "1f3c3": "runner.2", "1f3ca": "swimmer.2 swimmer.1", "1f9b8": "hero.1 hero.5", "1f9b9": "villain.1", "1f93c": "wrestler.1", "1f47b": "ghost.3", "1f479": "ogre.2 giant.6",
    "1f47a": "goblin.1", "1f47d": "extraterrestrial_being.1", "1f921": "clown.2", "1f385": "", "1f9d1": "", "1f9d1-200d-1f384": "", "1f468": "man.1 father.1", "1f469": "woman.1 mother.1", "1f474": "old_man.1 grandfather.1",
    "1f475": "old_woman.1 grandmother.1", "1f481": "", "1f46f": "", "1f9d4": "", "1f9df": "zombie.2 zombie.1", "1fac5": "king.1 queen.2 sovereign.1", "1f9d1-200d-1f4bc": "businessman.1", "1f9d1-200d-1f527": "mechanic.1 mechanic.2 plumber.1 electrician.1",
    "1f9d1-200d-2695": "doctor.1 nurse.1", "1f9d1-200d-1f3a4": "singer.1", "1f930": "", "1f93a": "fencer.1", "1f9dd": "elf.1", "1f9de": "genie.1", "1f482": "guard.1 soldier.1", "1f487": "hairdresser.1", "1f575": "detective.2 detective.1 spy.1",
    "1f6b6": "pedestrian.1", "1f939": "", "1f9d1-200d-1f3a8": "artist.1 painter.1", "1f9d1-200d-1f33e": "farmer.1", "1f9d1-200d-1f3eb": "teacher.1", "1f9da": "fairy.1", "1f9d3": "", "1f9d1-200d-1f52c": "scientist.1",
    "1f47c": "angel.1", "1f9d1-200d-1f373": "chef.1 cook.1", "1f9cc": "troll.1", "1f488": "", "1f3c7": "jockey.1", "1f477": "construction_worker.1", "1f6b4": "cyclist.1",
}  # fmt: skip

# Hypernyms whose hyponyms are alike however many they are; lemma.sense of WordNet.
FAMILIES = """
stringed_instrument.1 wind_instrument.1 percussion_instrument.1 keyboard_instrument.1
boat.1 ship.1 sailing_vessel.1 sailing_ship.1 warship.1 motor_vehicle.1 car.1 truck.1 bicycle.1 aircraft.1 heavier-than-air_craft.1 sled.1 cart.1 carriage.2 wagon.1 handcart.1 train.1
seat.3 chair.1 sofa.1 bed.1 bedroom_furniture.1 lamp.1 timepiece.1 clock.1 knife.1 sword.1 gun.1 hand_tool.1 saw.2 hammer.2 brush.2 cutlery.2
hat.1 cap.1 headdress.1 footwear.1 footwear.2 trouser.1 shirt.1 coat.1 dress.1 undergarment.1 underwear.1 neckwear.1 skirt.1 swimsuit.1 outerwear.1 overgarment.1 woman's_clothing.1 hosiery.1 jewelry.1 spectacles.1
bag.1 bag.4 box.1 jar.1 glass.2 drinking_vessel.1 bottle.1 ball.1 plaything.1 game_equipment.1 house.1 dwelling.1 place_of_worship.1 shop.1 camera.1 telephone.1 computer.1
magnifier.1 firework.1 cosmetic.1 makeup.1 writing_implement.1 edge_tool.1 scale.7 bridge.1 playing_card.1 basket.1 helmet.2 book.2
natural_elevation.1 cloud.2 star.1 wind.1 storm.1 celestial_body.1 jewel.1 opaque_gem.1 transparent_gem.1 precipitation.3 body_of_water.1 edible_fruit.1 vegetable.1
musician.1 scientist.1 health_professional.1 medical_practitioner.1 entertainer.1 performer.1 sovereign.1 aristocrat.1 imaginary_being.1 mythical_being.1 monster.1
educator.1 policeman.1 craftsman.1 male_child.1 child.1 magician.1 spirit.4
""".split()
# Hypernyms that join nothing although few words are below them.
GENERAL = set(
    "placental.1 aquatic_mammal.1 helping.1 condiment.1 ingredient.1 flavorer.1 course.7 cut.6 lever.1 land.4 geological_formation.1 light.1 fuel.1 mechanical_device.1 crack.1 opening.1"
    " station.1 plant_organ.1 plant_part.1 stalk.1 root.1 reproductive_structure.1 seed.2 snack_food.1 dish.2 foodstuff.2 nutriment.1 vascular_plant.1 worker.1"
    " game.4 domestic_animal.1 animal.1 young.1 young_mammal.1 head.1 external_body_part.1".split()
)
# Definitions of words that are not taken.
UNFIT = re.compile(r"offensive|pejorative|disparag|derogat|obscen|vulgar|slang|ethnic slur|sexual|prostitut|genital|excrement|feces|urine|narcotic|street name|archaic term")
WIDEST = {"animal": 260, "plant": 200, "food": 120}  # hyponyms of a hypernym that joins
NARROW = 15  # the same elsewhere, if the definitions share a word
# What stands for those below it however many they are; elsewhere as many as BROADEST.
WHOLE = "vehicle.1 clothing.1 furniture.1 tool.1 weapon.1 musical_instrument.1 edible_fruit.1 vegetable.1 beverage.1 sport.1 insect.1 reptile.1 mammal.1 rodent.1 bird.1 aircraft.1 vessel.2".split()
BROADEST = {"animal": 500, "plant": 200, "food": 300, "artifact": 80}
# Hyponyms of these are taken only if WordNet's texts have them.
OBSCURE = {"drug.1", "microorganism.1", "chemical.1", "body_part.1", "hominid.1"}
FARTHEST = 7.0
OTHER = 3  # times that a word is a verb or an adjective in WordNet's texts, if it is never a noun there, and is still taken for one
LIVING = ("animal", "plant", "food")
STOP = set(
    "may might must will she her his its you they who why how one two ten thing things male down jack jenny tom bitch comma congo samba brit pop pro wag miss sir stiff master"
    " ordinary picket quack tackle minor stylist partner participant character adventurer mercenary missionary orderly terrorist nondriver mantrap coquette adonis deceased"
    " decedent dead_person old_maid fresh_fish life_principle matriarch setup sub stays works trump coney inset gat hind dose wrack bbs weld sang shook savin watcher observer"
    " spectator viewer argyle anterior echogram modern_man apparatus electronic_device holder paraphernalia attire sampler entanglement kamikaze lantern_slide dead_room batwing"
    " vintage bogy bola cusp fob gable garb mews agent easter crack calculus opening orifice formulation posseman brood_bitch poor_boy slave-maker twirler crackerberry old_boy owner owners spear-point".split()
)
WORD = re.compile("(?=.{3})[a-z][a-z'-]*(_[a-z'-]+)?")
# The sense meant is the first of these kinds, where the commonest is of the kind before: an animal rather than its flesh, a fruit rather than its tree.
RATHER = {"food": ["animal"], "plant": ["animal", "food", "plant"]}
RATHER |= {kind: [*LIVING] for kind in set(LEXNAMES.values()) - KINDS}
WOOD = re.compile("[^;]*wood of")
# Words whose commonest sense in WordNet is not what is meant in a prompt.
SENSES = {
    "sable": "sable.5", "viola": "viola.3", "hog": "hog.3", "schooner": "schooner.2", "guinea_pig": "guinea_pig.2", "ray": "ray.7",
    "seahorse": "seahorse.2", "sea_horse": "sea_horse.2", "domino": "domino.4", "gourd": "gourd.2",
}  # fmt: skip
# What WordNet joins by nothing narrow enough, or by the wrong thing: names of concepts, nearest first, and the words that they are near to.
SAID = """
bird: gull, swallow
crocodile: alligator
lizard: chameleon
dog: chihuahua
bug: praying mantis
herb: mint
pumpkin: gourd
bouquet: garland
hut|house: cabin
tokyo tower: eiffel tower
brick|castle: great wall of china
city: skyline
wave|beach: seascape
ice cream: cone
coffee: coffee cup
juice box|champagne bottle: bottle cap
tie: bow tie
shorts: pair of shorts
mobile phone: cell phone
potted plant: house plant, gardening, watering plants
potted plant|bucket: watering can
slide: water slide
vhs tape: cassette
badminton|tennis ball: racket, racquet
medal: medallion
joker: ace
person running: runner
old man: elder
broom|woman: maid
baby bottle|baby: pacifier
ox: torero, matador
bow and arrow|water pistol: slingshot, catapult, crossbow
coffee: percolator, coffeepot, coffee pot
dress: nightgown, nightdress, nightie
girl|student: schoolgirl
painting|camera: photo, photograph, snapshot, picture
honey pot: jam, marmalade, jelly
candy|salt: sugar
herb|hot pepper: cumin, coriander, turmeric, cardamom
ice skate|stadium: rink, ice rink
beans|seedling: seed
flower: petal
coral: reef
fish|shark: pike
tree|herb: juniper
dog|cat|bear: animal
bread|apple|pizza: food
apple|banana|orange: fruit
carrot|broccoli|tomato: vegetable, veg, veggie
strawberry|blueberry|cherry: berry
cake|ice cream|cookie: dessert
snake|turtle|lizard: reptile
hammer|wrench|saw: tool
guitar|piano|drum: instrument, musical instrument
car|train|plane: vehicle, transport, transportation
t-shirt|dress|coat: clothes, clothing, garment, outfit
dagger|bow and arrow|bomb: weapon
house|office building|castle: building
chair|bed|couch: furniture
teddy bear|kite|yo-yo: toy, plaything
leopard|lion|cat: puma, cougar, mountain lion, lynx, bobcat, ocelot, wildcat
leopard|tiger|lion: panther, jaguar, cheetah
fish|tropical fish: seahorse, sea horse
tropical fish|shark|fish: ray, stingray, manta ray
hamster|mouse|squirrel: guinea pig
mouse|hedgehog: mole, shrew
beaver|duck: platypus, duckbill
pig|rabbit: aardvark
squirrel|badger: meerkat, mongoose, suricate, civet, genet
hedgehog|mouse: echidna
sloth|bear: anteater
sloth: pangolin
seal|dolphin|hippo: manatee, dugong, sea cow
bird|flamingo: ostrich, emu, rhea, cassowary
horse: foal, filly
bear|lion: cub
bug|worm|butterfly: caterpillar, silkworm, inchworm
worm|bug: maggot, larva, mealworm
bug|worm|spider: centipede, millipede
butterfly|bug: cocoon, pupa
frog: tadpole, polliwog, pollywog
seashell|octopus|crab: starfish, sea star
crab|bug: trilobite
dog|cat|hamster: pet
horse|dog: mane
cow|sheep|pig: livestock, domestic animal, farm animal
dog|cat|bear: mammal, quadruped, beast
dinosaur|lizard: dimetrodon
worm|snake: lamprey, hagfish
rabbit|mouse: hyrax
sheep|chicken|pig: farm
frog|turtle: amphibian
paw print: claw, hoof
horse face|unicorn: centaur, pegasus, winged horse
eagle|lion|dragon: griffin, gryphon
troll|ogre: giant, cyclops, titan
angel|baby: cherub
herb|leaf: fern, bracken, ivy, moss, weed
tree|potted plant: bush, shrub, hedge, hedgerow
grape|herb: vine, grapevine
leaf|tree: twig, bough, branch, stump, bark, treetop
flower|herb: lilac, honeysuckle, honey suckle, jasmine, frangipani, morning glory, oleander, camellia, magnolia, edelweiss, pollen
pine tree|chestnut: pinecone, pine cone
chestnut|tree: acorn
herb|fish: seaweed, kelp, algae, alga
wheat|herb: grass, hay, straw, lawn, meadow, pasture, field, turf
coconut|mango|pineapple: papaya, pawpaw, papaw, guava, lychee, litchi, jackfruit, durian, rambutan, carambola, breadfruit, mangosteen
apple|grape: pomegranate
strawberry|cherry|blueberry: raspberry, blackberry
peach|orange: apricot
grape: raisin, sultana
pear|peach: fig
peach|grape: prune
cucumber|eggplant: zucchini, courgette, okra, marrow
broccoli|lettuce: artichoke, cauliflower, brussels sprout
herb|lettuce: celery, rhubarb, fennel, leek, asparagus, cress
carrot|potato: parsnip, turnip, radish, beetroot, swede
hot pepper|salt: chili, chilli, spice, cinnamon, paprika, mustard, nutmeg, cayenne
tomato|hot pepper: ketchup, catsup, salsa, sauce
fried egg|egg: omelet, omelette, frittata
meat on the bone|falafel: meatball, patty
dumpling|pie: samosa, pirozhki
plate|pizza: dinner, lunch, meal, supper, breakfast, brunch, buffet
rice|curry: risotto, couscous, biryani, pilaf, pilau, jambalaya
lemon|juice box: lemonade, limeade, orangeade
soda|juice box|coffee: drink, beverage
salad|pizza|sandwich: snack
bread|pretzel: dough, flour
croissant|pie|doughnut: pastry
cookie|pie: meringue
avocado|salad: guacamole
falafel|beans: hummus, houmous
water drop|wave: pond, lake, river, stream, creek, brook, pool
wave|beach: sea, ocean, coast, shore, lagoon, bay
mountain: valley, canyon, gorge, cliff, cave, cavern, slope, glacier, precipice, ravine
wave|mountain: waterfall, cascade
palm tree|tree: jungle, rainforest, oasis, swamp
beach|desert: sand, dune
cloud|star|sun: sky
star|sun: universe, cosmos, solar system, galaxy
comet: meteorite, asteroid, meteor
sun|star: sunlight, starlight
sun|moon: eclipse
saturn|earth: jupiter, mars, uranus, neptune, venus
ice cube: icicle, iceberg
wind: windsock
rooster|wind: weather vane, weathervane, windvane
coat|t-shirt: sweater, jumper, pullover, cardigan, hoodie, jersey, uniform, suit
dress: skirt, kilt, tutu, apron, pinafore
coat|superhero: cape, cloak
jeans|dress: overall, dungarees
jeans|tie: belt
sun hat|top hat: sombrero
ring|crown: jewelry, jewellery, bracelet, bangle, necklace, pendant
ring|diamond: earring, ear ring
purse|money bag: wallet, billfold
glove: mitten, mitt, gauntlet
t-shirt|socks: clothesline, clothespin, clothes peg, washing line
t-shirt: hanger, coat hanger
diamond|ring: ruby, emerald, sapphire, topaz, amethyst
blond person: wig, toupee
bearded man: goatee, mustache, moustache
shield|army helmet: armor, armour
bomb|water pistol: cannon, bullet, ammunition, artillery, torpedo
house|window: room, apartment, flat, bedroom, living room, attic, cellar
house|chicken: barn, coop, stable, henhouse
house|dog: doghouse, kennel
house|potted plant: greenhouse, glasshouse, hothouse
hut|snowman: igloo
castle: fort, fortification, dungeon
castle|beach: sandcastle, sand castle
castle|bridge: drawbridge, moat
factory: mill, sawmill, warehouse, workshop
factory|house: chimney, smokestack, silo
house: roof, rooftop, shed
house|door: porch, veranda, balcony, garage
tokyo tower: lighthouse, obelisk
tokyo tower|beach: beacon
greek temple: column, pillar, arch, archway, ruin, ruins, aqueduct, monument, amphitheater
desert|camel: pyramid
telescope|star: observatory
wind|house: windmill
bridge|beach: pier, jetty, dock, quay, wharf
ship|anchor: harbor, harbour, port, marina
railway track|mountain: tunnel
highway: path, pavement, sidewalk, street, footpath, lane, avenue, alley, pathway
plane|satellite dish: airport, radar
stadium: gymnasium, gym, auditorium
door|brick: gate, fence, gateway
stack of books: bookcase, bookshelf, library, shelf
chair: desk, table, stool, workbench
bed: mattress, pillow, cushion, blanket, quilt, duvet, hammock
bed|tent: sleeping bag
bed|baby: cradle, crib, cot
window: curtain, blind, shutter, windowpane
door|filing cabinet: cupboard, closet, wardrobe, cabinet
filing cabinet: drawer, dresser, chest of drawers, bureau, sideboard
fire: fireplace, campfire, bonfire, hearth, heater, furnace
fire|fried egg: stove, oven, cooker
fire|candle: match, matchstick, matches, lighter
fire|meat on the bone: grill, barbecue, bbq, barbeque
fire truck|fire extinguisher: hydrant, fire hydrant
light bulb|candle|flashlight: lamp, chandelier, floor lamp, streetlight, lamppost, street light
broom: mop, vacuum cleaner, vacuum, hoover, duster
bathtub|soap: towel, sink, basin, faucet, tap
water drop|bathtub: hose, garden hose, sprinkler
ice cube|milk: refrigerator, fridge, freezer, icebox
soap|t-shirt: washing machine, washer
bread: toaster
juice box|fried egg: blender, mixer
teapot|coffee: kettle, teakettle
coffee|tea: jug, pitcher, thermos
tea|coffee: mug, cup
stew: cauldron, caldron, pot
champagne bottle|wine glass: corkscrew, bottle opener, wine bottle
spaghetti: colander, strainer
fried egg|paella: frying pan, frypan, skillet
meat on the bone|bread: meatloaf
beer|oil drum: keg, cask
milk|juice box: carton
package: crate
basket|shopping bags: sack
bird|lock: cage, birdcage
toothbrush: toothpaste
lotion: perfume, cologne
paperclip|pencil: stapler, staple, glue
pencil: eraser, rubber, highlighter, sharpener
pen|pencil: quill, chalk, marker
painting: picture frame, easel, portrait, drawing, sketch, mural
paintbrush|bucket: paint can, paint tin
notebook|book: diary, journal
newspaper|book: magazine
envelope: postcard, post card, greeting card
keyboard|printer: typewriter
computer: server, modem, router, mainframe
laptop|mobile phone: tablet
printer: scanner, photocopier
bar chart: spreadsheet, diagram
floppy disk|cd: diskette, hard disk, hard drive
cd: cd-rom, phonograph record, gramophone record
camera|magnifying glass: lens
telescope|glasses: binoculars, spyglass, field glasses
tv|game controller: remote control, remote
radio|loudspeaker: stereo, boombox, hi-fi, jukebox, gramophone, phonograph
game controller: gamepad, joypad
plug: socket, power outlet, outlet, wire, cable, extension cord
light bulb|plug: switch, light switch
battery|plug: resistor, capacitor, transistor, generator
screwdriver|hammer: drill, power drill, power tool
saw|axe: chainsaw, chain saw
wrench|screwdriver: pliers, plier, pincers
axe|pickaxe: scythe, sickle, hoe, plow, plough
pickaxe|hammer: shovel, trowel, pitchfork, rake
hammer: anvil, gavel
gear|knot: pulley, winch
knot: tightrope, high wire, noose, cord
nut and bolt|hammer: nail, rivet
shopping cart: wheelbarrow, handcart, barrow
shopping cart|horse: wagon, carriage, horse cart, buggy, chariot
tractor|truck: excavator, bulldozer, steamroller, forklift, digger, backhoe
truck|oil drum: tanker
truck|army helmet: tank
bus: school bus
bike: unicycle, tricycle
wheel: tyre, tire
car|wheel: engine, headlight, steering wheel, windshield
horse: saddle, stirrup, bridle, horseshoe
ship|fish: submarine
plane: glider, sailplane
balloon: hot air balloon, airship, blimp, zeppelin, dirigible
rocket|ufo: spaceship, starship, space shuttle, shuttle
canoe|sailboat: kayak, raft
guitar|banjo: lute, mandolin, ukulele, sitar, harp, lyre
violin|guitar: viola
trumpet|accordion: bagpipe, bagpipes
flute|saxophone: clarinet, oboe, bassoon
drum|bell: gong, cymbal, tambourine
piano|drum: xylophone, glockenspiel, marimba
piano: organ, harpsichord, pianist, piano player
music note|sheet music: clef, treble clef, bass clef
timer|music: metronome
target: dartboard, dart
pawn: chessboard, chess
dice: domino, dominoes
slide: swing, seesaw, sandbox, swing set, teeter-totter
surfer: surfboard, wetsuit
baseball|cricket bat: baseball bat
golf flag|person playing golf: golf club, golfer
ice hockey: hockey stick, hockey puck, puck
swimmer|wave: diving board, swimming pool
diving mask|swimmer: snorkel, diver, scuba diver
flying disc: frisbee
weightlifter: dumbbell, barbell
roller skate: rollerskates
flip-flop: flip flops
russian doll|teddy bear: puppet, marionette, hand puppet, glove puppet
snowman: scarecrow
painting|statue of liberty: sculpture
clown: jester, fool, juggler, harlequin
king|princess|prince: emperor, empress, duke, duchess
singer|artist: musician, dancer, ballerina, minstrel, troubadour, actor, actress
singer|music: choir, choirboy
chef: waiter, waitress, baker, butcher
firefighter: fireman
guard: knight, warrior, scout
judge: lawyer, attorney, barrister
detective|police officer: policeman, sheriff
construction worker: carpenter, bricklayer, laborer
construction worker|pickaxe: miner
hammer|factory worker: blacksmith
farmer|sheep: shepherd
fishing rod|fish: fisherman, angler
ship|anchor: sailor, captain
girl|woman: maiden, lass, damsel
boy|girl: teenager, adolescent, youth
baby|child: toddler
motorcycle: biker, motorcyclist, motorbike
bike|cyclist: rider
person walking|mountain: hiker
cartwheel|swimmer: gymnast
boxing glove: boxer
circus tent: ringmaster
newspaper|boy: newsboy, paperboy
foot|leg: toe, heel
hand: thumb, wrist
muscle: elbow, arm, forearm, shoulder
stoplight: traffic light
teddy bear: teddy-bear
egg|rabbit: easter, easter egg
bee|honey pot: beehive, hive, honeycomb
spider web: cobweb
alembic|test tube: potion, flask, beaker
test tube|dna: molecule, atom
turtle: sea turtle
beans: green bean, string bean
pea pod: peas
x-ray: x-ray machine
fireworks: firework
passenger ship|ship: cruise ship
map pin|paperclip: thumbtack, tack
paperclip: clip, paper clip
"""
# Kinds of artifact of which every word of 4 to 14 letters is taken, as of animals, food, and plants.
ALWAYS = "vehicle.1 vessel.2 craft.1 musical_instrument.1 tool.1 cutlery.2 garment.1 furniture.1 headdress.1 footwear.1".split()
RARE = [("animal", "food", "artifact"), ("animal", "food")]  # of which rare words and rare compounds are taken, too, as long as there is room
HERB, FLOWER = "1f33f", "1f33c"  # herbs are many things to WordNet; those with flowers are known for them
BLOOMS = re.compile(r"(?<!inconspicuous )\b(flowers?|flowered|blooms?|blossoms?)\b")
WITHIN = 2.2  # how much farther than the nearest thing the others may be


@dataclass
class Synset:
    kind: str
    words: list[tuple[str, str]]  # as spelt, and the key that counts are under
    gloss: str
    up: list[str]
    named: bool  # an instance: a person, a place

    @property
    def lemmas(self) -> list[str]:
        return [word for word, _ in self.words]

    @cached_property
    def terms(self) -> set[str]:
        """Words of the definition that may tell two things apart."""
        return {word for word in re.findall("[a-z]{4,}", self.gloss.partition('"')[0].lower()) if word not in COMMON}


COMMON = set(
    "with used that which from having usually very often other such small large genus various several especially into made their kind form more than most some have used".split()
)


def synset(line: str) -> tuple[str, Synset]:
    """A line of `data.noun`; wndb(5WN) has the format."""
    head, _, gloss = line.partition(" | ")
    fields = head.split()
    count = int(fields[3], 16)
    pairs = [(fields[4 + 2 * i], int(fields[5 + 2 * i], 16)) for i in range(count)]
    words = [(word, f"{word.lower()}%1:{fields[1]}:{number:02}::") for word, number in pairs]
    start = 5 + 2 * count
    pointers = [(fields[i], fields[i + 1]) for i in range(start, start + 4 * int(fields[start - 1]), 4)]
    up = [to for symbol, to in pointers if symbol == "@"]
    return fields[0], Synset(LEXNAMES[int(fields[1])], words, gloss.strip(), up, any(symbol == "@i" for symbol, _ in pointers))


@dataclass
class WordNet:
    synsets: dict[str, Synset]
    senses: dict[str, list[str]]  # commonest first
    counts: dict[str, int]
    elsewhere: dict[str, int]  # how often a word is no noun
    down: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self):
        for offset, entry in self.synsets.items():
            for up in entry.up:
                self.down[up].append(offset)

    @classmethod
    def read(cls, folder: Path) -> "WordNet":
        lines = [line for line in (folder / "data.noun").read_text().splitlines() if not line.startswith(" ")]
        index = [line.split() for line in (folder / "index.noun").read_text().splitlines() if not line.startswith(" ")]
        counts = [line.split() for line in (folder / "cntlist.rev").read_text().splitlines()]
        senses = {fields[0]: fields[6 + int(fields[3]) :] for fields in index}
        elsewhere: dict[str, int] = defaultdict(int)
        for key, _, count in counts:
            lemma, _, rest = key.partition("%")
            elsewhere[lemma] += int(count) * (not rest.startswith("1"))
        return cls(dict(map(synset, lines)), senses, {key: int(count) for key, _, count in counts}, elsewhere)

    def sense(self, name: str) -> str:
        lemma, number = name.rsplit(".", 1)
        return self.senses[lemma][int(number) - 1]

    def count(self, lemma: str, offset: str) -> int:
        return next((self.counts.get(key, 0) for word, key in self.synsets[offset].words if word.lower() == lemma), 0)

    def total(self, lemma: str) -> int:
        return sum(self.count(lemma, offset) for offset in self.senses.get(lemma, []))

    def steps(self, offset: str, towards: dict[str, list[str]] | None = None) -> dict[str, int]:
        """Steps from a synset to all its hypernyms, or by `down` to all its hyponyms."""
        found, edge = {offset: 0}, [offset]
        for at in edge:
            onward = self.synsets[at].up if towards is None else towards.get(at, [])
            for to in onward:
                if to not in found:
                    found[to] = found[at] + 1
                    edge.append(to)
        return found

    @cached_property
    def size(self) -> dict[str, int]:
        return {offset: len(self.steps(offset, self.down)) - 1 for offset in self.synsets}

    def meant(self, names: Iterable[str]) -> set[str]:
        return {self.sense(name) for name in names}

    @cached_property
    def families(self) -> set[str]:
        return self.meant(FAMILIES)

    @cached_property
    def general(self) -> set[str]:
        return self.meant(GENERAL)

    @cached_property
    def whole(self) -> set[str]:
        return self.meant(WHOLE)

    @cached_property
    def obscure(self) -> set[str]:
        return self.meant(OBSCURE)

    @cached_property
    def always(self) -> set[str]:
        return self.meant(ALWAYS)

    def joins(self, over: str, alike: int = 1) -> bool:
        """Whether a hypernym is narrow enough for two hyponyms, whose definitions share so many words, to be alike."""
        if over in self.general or over in self.families:
            return over in self.families
        kind, size = self.synsets[over].kind, self.size[over]
        return size <= WIDEST[kind] if kind in WIDEST else size <= NARROW and alike > 0


def plain(form: str) -> str:
    return form.lower().replace("’", "'").replace("_", " ").strip()


def table(path: Path) -> list[list[str]]:
    return [line.split("\t") for line in path.read_text().splitlines()]


def kinds(group: str) -> list[str]:
    return next((kinds for start, kinds in GROUPS.items() if group.startswith(start)), THINGS)


def meant(wordnet: WordNet, group: str, names: Iterable[str]) -> list[str]:
    """The rule for a concept's senses: the commonest of the first name that WordNet has, of the group's kinds."""
    for name in names:
        senses = wordnet.senses.get(plain(name).replace(" ", "_"), [])
        found = [next((o for o in senses if wordnet.synsets[o].kind == kind and not wordnet.synsets[o].named), None) for kind in kinds(group)]
        if found := [offset for offset in found if offset]:
            return found if group in BOTH else found[:1]
    return []


@dataclass
class Known:
    """Concepts with learned pictures."""

    places: dict[str, dict[str, float]]  # synset → concepts that it stands for → how far off
    forms: dict[str, set[str]]
    ids: dict[str, str]  # by name
    rare: dict[str, float]  # how much rather another concept is taken: long and rare names

    @classmethod
    def read(cls, folder: Path, wordnet: WordNet) -> "Known":
        words = {row[0]: row[1:] for row in table(folder / "en.tsv")}
        places: dict[str, dict[str, float]] = defaultdict(dict)
        forms: dict[str, set[str]] = defaultdict(set)
        ids, rare, seconds = {}, {}, []
        for concept, group, english, _ in table(folder / "concepts.tsv")[1:]:
            if concept.startswith("many:"):
                continue
            name, plural, also = words[concept]
            others = [form for form in also.split("|") if form]
            for form in filter(None, [name, english, *plural.split("|"), *others]):
                forms[plain(form)].add(concept)
            ids[name] = concept
            rare[concept] = 0.9 * (" " in name) - 0.3 * math.log10(1 + wordnet.total(plain(name)))
            if concept in MEANT:
                main = [wordnet.sense(sense) for sense in MEANT[concept].split()]
            else:
                main = [] if SIGNS.search(group) else meant(wordnet, group, [name, english])
            for rank, offset in enumerate(main):
                places[offset].setdefault(concept, 0.0 if rank == 0 else 0.25)
            for form in others:
                seconds += [(offset, concept) for offset in close(wordnet, form, main)]
        for offset, concept in seconds:
            if offset not in places:
                places[offset] = {concept: 0.5}
        return cls(places, forms, ids, rare)


def close(wordnet: WordNet, form: str, main: list[str]) -> Iterator[str]:
    """The sense of another word for a concept, if one is close to the concept's own."""
    for offset in wordnet.senses.get(plain(form).replace(" ", "_"), []):
        entry = wordnet.synsets[offset]
        if entry.named or offset in main:
            continue
        above = wordnet.steps(offset)
        for own in main:
            shared = [above[o] + steps for o, steps in wordnet.steps(own).items() if o in above and (wordnet.joins(o) or o in (own, offset))]
            if entry.kind == wordnet.synsets[own].kind and shared and min(shared) <= 3:
                yield offset
                return


def nearest(wordnet: WordNet, known: Known, offset: str) -> list[tuple[str, float]]:
    """Concepts near a synset with their distances, nearest first."""
    found: dict[str, float] = {}

    def put(concept: str, cost: float) -> None:
        if cost < found.get(concept, FARTHEST):
            found[concept] = cost

    for concept, cost in below(wordnet, known, offset):
        put(concept, cost)
    for over, up in wordnet.steps(offset).items():
        for concept, off in known.places.get(over, {}).items():
            put(concept, up * 0.5 + off)
        for concept, cost in beside(wordnet, known, offset, over):
            put(concept, cost + up * 0.7)
    return sorted(found.items(), key=lambda item: (item[1], item[0]))


def below(wordnet: WordNet, known: Known, offset: str) -> Iterator[tuple[str, float]]:
    """Kinds of what a word means: fruit is apples and bananas."""
    if offset in wordnet.general or wordnet.size[offset] > BROADEST.get(wordnet.synsets[offset].kind, 40) and offset not in wordnet.whole:
        return
    for place, down in wordnet.steps(offset, wordnet.down).items():
        for concept, off in known.places.get(place, {}).items():
            yield concept, down * (0.1 if offset in wordnet.whole else 0.4) + off + 2 * known.rare[concept] + 1


def beside(wordnet: WordNet, known: Known, offset: str, over: str) -> Iterator[tuple[str, float]]:
    """Other kinds of the same hypernym: a wombat is a marsupial like a koala."""
    if over == offset or over in wordnet.general or wordnet.size[over] > max(WIDEST.values()) and over not in wordnet.families:
        return
    for place, down in wordnet.steps(over, wordnet.down).items():
        if place in known.places and place != over:
            alike = len(wordnet.synsets[offset].terms & wordnet.synsets[place].terms)
            if wordnet.joins(over, alike):
                for concept, off in known.places[place].items():
                    yield concept, down + off + known.rare[concept] - min(alike, 3) * 0.3 + math.log10(1 + wordnet.size[over]) * 0.6


def chosen(wordnet: WordNet, lemma: str) -> str | None:
    """The sense of a word that is meant: the commonest of a thing, unless the word is commonly no thing, no noun, or a name."""
    if lemma in SENSES:
        return wordnet.sense(SENSES[lemma])
    senses = [o for o in wordnet.senses[lemma] if lemma in wordnet.synsets[o].lemmas and not wordnet.synsets[o].named]
    if not senses or lemma in STOP:
        return None
    first = wordnet.synsets[senses[0]]
    attested, other = wordnet.total(lemma), wordnet.elsewhere.get(lemma, 0)
    if first.kind not in KINDS and attested or other and not attested and first.kind not in LIVING or other > max(OTHER, 4 * attested):
        return None
    rather = [o for kind in RATHER.get(first.kind, ()) for o in senses if wordnet.synsets[o].kind == kind and not WOOD.match(wordnet.synsets[o].gloss)]
    return next(iter(rather), senses[0] if first.kind in KINDS else None)


def candidates(wordnet: WordNet, known: Known) -> Iterator[tuple[str, str]]:
    for lemma in wordnet.senses:
        if WORD.fullmatch(lemma) and plain(lemma) not in known.forms:
            offset = chosen(wordnet, lemma)
            if offset and not UNFIT.search(wordnet.synsets[offset].gloss) and (wordnet.count(lemma, offset) or not wordnet.steps(offset).keys() & wordnet.obscure):
                yield lemma, offset


@dataclass
class Word:
    offset: str
    concepts: list[str]
    count: int
    always: bool


def always(wordnet: WordNet, lemma: str, offset: str) -> bool:
    """Whether a word is taken however rare it is."""
    if "_" in lemma or not 4 <= len(lemma) <= 14:
        return False
    return wordnet.synsets[offset].kind in LIVING or not wordnet.steps(offset).keys().isdisjoint(wordnet.always)


def said(known: Known) -> dict[str, list[str]]:
    pairs = [line.split(": ") for line in SAID.strip().splitlines()]
    found: dict[str, list[str]] = {}
    for things, words in pairs:
        for word in words.split(", "):
            if word not in known.forms:
                found.setdefault(word, [known.ids[thing] for thing in things.split("|")])
    return found


def near(wordnet: WordNet, known: Known) -> dict[str, Word]:
    found = {}
    for lemma, offset in candidates(wordnet, known):
        things = nearest(wordnet, known, offset)
        if things:
            ids = [concept for concept, cost in things[:NEAREST] if cost <= things[0][1] + WITHIN]
            if wordnet.synsets[offset].kind == "plant" and BLOOMS.search(wordnet.synsets[offset].gloss) and HERB in ids:
                ids = list(dict.fromkeys([FLOWER, *ids]))[:NEAREST]
            found[plain(lemma)] = Word(offset, ids, wordnet.count(lemma, offset), always(wordnet, lemma, offset))
    return found


def told_by_head(word: str, found: dict[str, Word], known: Known) -> bool:
    """Whether the last part of a compound leads to the same things: a barn owl to an owl, but a sea horse to no horse."""
    head = word.rpartition(" ")[2]
    things = known.forms.get(head) or (found[head].concepts if head in found else [])
    return " " in word and bool(set(found[word].concepts[:1]) & set(things))


def commonest(wordnet: WordNet, found: dict[str, Word], known: Known, most: int = MOST) -> dict[str, list[str]]:
    def rank(word: str) -> tuple:
        entry = found[word]
        return (not (entry.always or entry.count), " " in word, -entry.count, word)

    kept = [
        word for word, entry in found.items() if not told_by_head(word, found, known) and (entry.count or entry.always or wordnet.synsets[entry.offset].kind in RARE[" " in word])
    ]
    by_hand = said(known)
    return dict(sorted(({word: found[word].concepts for word in sorted(kept, key=rank)[: most - len(by_hand)]} | by_hand).items()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--words", type=Path, required=True, help="folder with concepts.tsv and en.tsv")
    parser.add_argument("--wordnet", type=Path, default=WORDNET, help="folder with WordNet's data.noun")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    if not (options.wordnet / "data.noun").is_file():
        parser.error(f"{options.wordnet} has no data.noun: apt-get install wordnet-base, or give --wordnet")
    wordnet = WordNet.read(options.wordnet)
    known = Known.read(options.words, wordnet)
    words = commonest(wordnet, near(wordnet, known), known)
    lines = [f"{word}\t{'|'.join(concepts)}" for word, concepts in words.items()]
    options.out.write_text("\n".join([HEADER, *lines]) + "\n")
    print(f"{len(lines)} words in {options.out}")


if __name__ == "__main__":
    main()
