"""
Names for endpoints whose owner did not ask for one: ``brave-otter-3f9c``, easy to read out over the phone.

They are not secrets: who must not reach a service is kept out by a module, not by a name.
"""

from __future__ import annotations

from random import Random

#: Distinct values of the last four hexadecimal digits.
_NUMBERS = 16**4

_ADJECTIVES = (
    "able agile airy alert amber ample apt balmy blithe blue bold bonny brave breezy bright brisk bubbly calm candid "
    "careful caring chatty cheery chirpy clean clear clever comfy coral cosy crisp curious dapper daring deep dewy "
    "eager early earnest easy fair fancy fast fine fluffy fond free fresh frosty funny gentle giddy glad gleaming "
    "glossy golden good grand great green happy hardy hearty helpful honest hopeful humble ideal indigo jaunty jolly "
    "jovial keen kind lively loyal lucid lucky lunar mellow merry mighty mild minty modest neat nimble noble olive "
    "open patient peachy pearly perky placid playful plucky polite prompt proud quick quiet rapid ready rosy ruby "
    "rustic sandy serene sharp shiny silent silky silver simple sleek snappy snowy solar solid spry steady sunny "
    "swift tidy tranquil upbeat vivid warm wise witty zesty"
).split()

_NOUNS = (
    "acorn alpaca anchor apple aspen badger banjo basil bay beacon beaver birch bison blossom breeze bridge brook "
    "canyon canoe cedar cello cherry cliff cloud clover comet condor coral cove crane cricket daisy dawn delta dingo "
    "dolphin dove dune eagle elk ember falcon fern ferret finch fjord flame forest fountain fox galaxy garden gecko "
    "ginger glacier grove gull harbor hare hazel heron hill ibis inlet iris island ivy jasmine jay juniper kayak kiwi "
    "koala lagoon lake lantern lark laurel lemur lilac lily llama lotus lynx magnolia mango maple marmot meadow "
    "meteor mint moon moose moss nebula newt oak oasis ocean olive orca orchid osprey otter owl panda pebble pelican "
    "penguin pine planet plum pony poppy prairie puffin quail rabbit rain raven reef river robin sage seal sparrow "
    "spruce star stream sun swan thistle tiger toucan trout tulip turtle valley violet walnut whale willow wren yak"
).split()


def random_label(random: Random) -> str:
    """
    :param random: randomness that is not for secrets.
    :return: one DNS label out of more than a thousand million.
    """
    return f"{random.choice(_ADJECTIVES)}-{random.choice(_NOUNS)}-{random.randrange(_NUMBERS):04x}"
