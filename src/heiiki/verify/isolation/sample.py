"""Which ordered pairs of sites are tried: all of a small service, a sample of each class of a large one.

All pairs of a class are treated by the same rules of the plan: they differ in addresses. So in a large
service each site sends to some others, drawn at random in each run, and of each class so many pairs are tried
that a leak of 5 % of them would show. What is not drawn is covered by its class alone.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import permutations, product
from random import Random

from heiiki.plan.model import Function, Network, Plan, SitePlan

EVERY_PAIR = 20
"""Sites up to which every ordered pair is tried: 380 of them."""
ROUNDS = 2
"""How many others each site sends to, and hears from."""
LEAST = 59
"""Draws of a class without a leak that show, at 95 % confidence, that fewer than 5 % of it leak."""
CONFIDENCE = 0.95

Pair = tuple[str, str]
"""The sites' names: source, and target."""
_Group = tuple[str, str]
"""Figure of the site's redundancy, and its PE."""


@dataclass(frozen=True, slots=True)
class PairClass:
    """Ordered pairs of sites that the plan treats alike.

    Attributes:
        source, target: figure 5.18 (a) or (b), of either site.
        one_pe: both access lines end at the same PE.
    """

    source: str
    target: str
    one_pe: bool

    @property
    def subject(self) -> str:
        """Subject of the verdict on the class."""
        return f"sites {self.source} to sites {self.target}, {'one PE' if self.one_pe else 'two PE'}"


@dataclass(frozen=True)
class Population:
    """All ordered pairs of a service's sites, by class."""

    plan: Plan

    @property
    def whole(self) -> bool:
        """Whether every pair is tried."""
        return len(self.plan.sites) <= EVERY_PAIR

    def some_sites(self, random: Random) -> Iterator[SitePlan]:
        """Yield every site, or of a large service `LEAST` of each figure of redundancy."""
        if self.whole:
            yield from self.plan.sites
            return
        figures: dict[str, list[SitePlan]] = defaultdict(list)
        for site in self.plan.sites:
            figures[figure(site)].append(site)
        for found in figures.values():
            yield from random.sample(found, min(LEAST, len(found)))

    @cached_property
    def _group_of(self) -> Mapping[str, _Group]:
        over_a = {path.site: path.elements for path in self.plan.paths if path.network is Network.A}
        return {site.name: (figure(site), _pe(self.plan, over_a[site.name])) for site in self.plan.sites}

    @cached_property
    def _members(self) -> Mapping[_Group, list[str]]:
        found: dict[_Group, list[str]] = defaultdict(list)
        for name, group in self._group_of.items():
            found[group].append(name)
        return found

    @cached_property
    def _groups(self) -> Mapping[PairClass, list[tuple[_Group, _Group]]]:
        """The pairs of groups that make up each class."""
        found: dict[PairClass, list[tuple[_Group, _Group]]] = defaultdict(list)
        for source, target in product(self._members, repeat=2):
            if self._count(source, target):
                found[PairClass(source[0], target[0], source[1] == target[1])].append((source, target))
        return found

    def _count(self, source: _Group, target: _Group) -> int:
        senders, receivers = len(self._members[source]), len(self._members[target])
        return senders * (receivers - 1 if source == target else receivers)

    @cached_property
    def classes(self) -> Mapping[PairClass, int]:
        """How many pairs each class has; every ordered pair is in one."""
        return {
            one: sum(self._count(source, target) for source, target in groups)
            for one, groups in self._groups.items()
        }

    def class_of(self, pair: Pair) -> PairClass:
        """Return the class of a pair."""
        source, target = self._group_of[pair[0]], self._group_of[pair[1]]
        return PairClass(source[0], target[0], source[1] == target[1])

    def draw(self, random: Random) -> tuple[Pair, ...]:
        """Return the pairs to try: all, or each site with `ROUNDS` others, and `LEAST` of each class."""
        names = [site.name for site in self.plan.sites]
        if self.whole:
            return tuple(permutations(names, 2))
        random.shuffle(names)
        drawn = {
            (name, names[(index + step) % len(names)]): None
            for step in range(1, ROUNDS + 1)
            for index, name in enumerate(names)
        }
        counts: dict[PairClass, int] = defaultdict(int)
        for pair in drawn:
            counts[self.class_of(pair)] += 1
        for one, size in self.classes.items():
            drawn |= dict.fromkeys(self._more(one, min(LEAST, size), counts[one], drawn, random))
        return tuple(drawn)

    def _more(
        self, one: PairClass, wanted: int, count: int, drawn: Mapping[Pair, None], random: Random
    ) -> Iterator[Pair]:
        """Yield pairs of a class that are not drawn yet, until it has as many as are wanted."""
        if count >= wanted:
            return
        if wanted == self.classes[one]:
            yield from self._every(one)
            return
        groups = self._groups[one]
        weights = [self._count(source, target) for source, target in groups]
        found = set(drawn)
        while count < wanted:
            ((source, target),) = random.choices(groups, weights)
            pair = random.choice(self._members[source]), random.choice(self._members[target])
            if pair[0] != pair[1] and pair not in found:
                found.add(pair)
                count += 1
                yield pair

    def _every(self, one: PairClass) -> Iterator[Pair]:
        for source, target in self._groups[one]:
            for pair in product(self._members[source], self._members[target]):
                if pair[0] != pair[1]:
                    yield pair


def figure(site: SitePlan) -> str:
    """Return the figure of a site's redundancy: 5.18 (a) or (b)."""
    return "(a)" if len(site.gateways) == 1 else "(b)"


def _pe(plan: Plan, elements: Iterable[str]) -> str:
    kinds = ((name, plan.element_kind(name)) for name in elements)
    return next(name for name, kind in kinds if kind is Function.PE)


def share(drawn: int, whole: int) -> float:
    """Return which share of `whole` may be faulty at most when none of `drawn` was, at `CONFIDENCE`.

    Draws with replacement: 1 - (1 - confidence)^(1/n); without it the share is smaller still.
    """
    return 0.0 if drawn >= whole else 1 - (1 - CONFIDENCE) ** (1 / drawn)


def told(drawn: int, whole: int, what: str) -> str:
    """Return how much was tried, and what that says of the rest, as human-readable text."""
    if drawn >= whole:
        return f"all {whole:,} {what}"
    most = f"{100 * share(drawn, whole):.2g} %"
    return (
        f"{drawn:,} of {whole:,} {what}, drawn at random: the others are covered by their class, of which "
        f"fewer than {most} differ at {CONFIDENCE:.0%} confidence"
    )
