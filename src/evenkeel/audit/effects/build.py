"""Facts in, linked index out."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from types import MappingProxyType

import msgspec

from evenkeel.audit.effects.applied import Applied
from evenkeel.audit.effects.catalogue import Catalogue
from evenkeel.audit.effects.entities import find_entities
from evenkeel.audit.effects.entries import declared_entry, registered_entries, runs_on_loop
from evenkeel.audit.effects.given import Given
from evenkeel.audit.effects.implicit import LAZY
from evenkeel.audit.effects.library import Library
from evenkeel.audit.effects.lifetimes import kept_parts, lasting_classes
from evenkeel.audit.effects.link import Linker
from evenkeel.audit.effects.linked import Emit, FileLinks, Functions, Linked, Names, Surroundings
from evenkeel.audit.effects.overrides import overrides
from evenkeel.audit.effects.passing import Known
from evenkeel.audit.effects.per_element import is_per_element, learn_elements
from evenkeel.audit.effects.resolve import Resolver
from evenkeel.audit.effects.shares import shares
from evenkeel.audit.effects.spreading import Spread, spread
from evenkeel.audit.effects.summary import summarise
from evenkeel.audit.effects.symbols import Symbols
from evenkeel.audit.effects.types import Type
from evenkeel.audit.model.facts import FileFacts, Function, Parameter
from evenkeel.audit.model.finding import Remark
from evenkeel.audit.model.index import FunctionInfo, Index, function_table
from evenkeel.audit.model.mentions import mentions_of
from evenkeel.audit.model.packing import pack, packed_size
from evenkeel.audit.model.tables import Blobs, Table
from evenkeel.kernel.forks import Send, can_fork, run_forked

PARALLEL_FROM = 60  # files; forking costs more than it saves below
LONGEST_LINK_S = 900.0
LARGE_BYTES = 24_000_000  # of packed facts, about a million lines: there a second process that links, which shares
# next to nothing with the first, would cost as much memory as all the rest

ROWS_AT_ONCE = 512  # functions that are handed over together

NONE_NAMED: Mapping[str, str] = MappingProxyType({})
SourceFile = tuple[str, str, bytes]  # path, kind, encoded facts, packed or not


def build_index(
    files: Iterable[SourceFile], catalogue: Catalogue, *, jobs: int = 2, statements: Mapping[str, str] = NONE_NAMED
) -> Index:
    """Link every file, propagate effects, find entry points and entities. Order of `files` decides ids: keep it stable.

    `statements`: SQL that stands in files, by name."""
    return index_of(*sources_of(files), catalogue, jobs, statements)


def sources_of(files: Iterable[SourceFile]) -> tuple[Names, Blobs]:
    """Path and kind of each file, and its facts in one piece."""
    names: list[tuple[str, str]] = []
    facts = Blobs()
    for path, kind, encoded in files:
        names.append((path, kind))
        facts.append(encoded)
    return tuple(names), facts


def index_of(names: Names, facts: Blobs, catalogue: Catalogue, jobs: int, statements: Mapping[str, str]) -> Index:
    """`build_index`, of what `sources_of` gives."""
    linked = Linked(len(names))
    surroundings = link(names, facts, catalogue, jobs, statements, linked.add)
    functions = Blobs()
    index = assembled(names, facts, linked, surroundings, functions)
    finish(index, spread(names, linked, functions.append))
    return index


def link(
    names: Names, facts: Blobs, catalogue: Catalogue, jobs: int, statements: Mapping[str, str], emit: Emit
) -> Surroundings:
    """Resolve all calls. Functions and files are handed over one by one, so that nothing is held that is done."""
    symbols = Symbols((kind for _, kind in names), facts)
    resolver = Resolver(symbols, catalogue, statements)
    entities = find_entities(resolver)
    learn_elements(resolver)
    parameters, parents = _functions(resolver, emit)
    linker = Linker(resolver, overrides(resolver), _unique_methods(resolver), entities)
    known = Known(parameters, _roles(resolver), statements, parents)
    symbols.forget()
    _link_all(linker, known, jobs if packed_size(facts) <= LARGE_BYTES else 1, emit)
    return Surroundings(entities, known.roles, dict(statements))


def assembled(
    names: Names,
    facts: Blobs,
    linked: Linked,
    surroundings: Surroundings,
    functions: Blobs,
) -> Index:
    """The index, from what `link` gave. `functions` may be filled later, and its `kinds` are to be."""
    results = linked.files
    return Index(
        files=names,
        facts=facts,
        linked=Blobs(each.linked for each in results),
        functions=function_table(functions),
        entities=surroundings.entities,
        roles=surroundings.roles,
        kinds=[],
        lines=sum(each.lines for each in results),
        unresolved=sum(each.unresolved for each in results),
        lasting=lasting_classes(part for each in results for part in each.parts),
        numbers={path: number for number, (path, _) in enumerate(names)},
        remarks=tuple(remark for each in results for remark in each.remarks),
        statements=surroundings.statements,
        mentions=b"".join(each.mentions for each in results),
    )


def finish(index: Index, found: Spread) -> None:
    """Fill in what propagation has found beside the rows of functions."""
    index.kinds = shared(found.kinds)
    index.masks = array("Q", found.masks)


def shared(kinds: Iterable[frozenset[str]]) -> list[frozenset[str]]:
    """The same kinds, each set once: most files have the same few."""
    known: dict[frozenset[str], frozenset[str]] = {}
    return [known.setdefault(each, each) for each in kinds]


def _functions(resolver: Resolver, emit: Emit) -> tuple[Sequence[tuple[str, ...]], dict[int, int]]:
    """Hands over what is known of each function before it is linked; answers with the parameters of each, and with the
    function around each that stands in one."""
    given, applied = Given(resolver), Applied(resolver)
    held: list[tuple[str, ...]] = []
    parameters = Blobs()
    parents: dict[int, int] = {}
    symbols = resolver.symbols
    encode = msgspec.msgpack.Encoder().encode
    rows: list[bytes] = []
    for function_id, place in enumerate(symbols.places):
        around = symbols.parents[function_id]
        if around > 0:
            parents[function_id] = symbols.first_id[place.file] + around
        info = _info(resolver, given, applied, function_id)
        if symbols.held:
            held.append(info.parameters)
        else:
            parameters.append(encode(info.parameters))
        rows.append(encode(info))
        if len(rows) >= ROWS_AT_ONCE:
            emit(Functions(rows))
            rows = []
    emit(Functions(rows))
    given.learn()
    applied.learn()
    return held or Table(parameters, msgspec.msgpack.Decoder(tuple[str, ...]).decode), parents


def _roles(resolver: Resolver) -> dict[str, str]:
    """What kind of thing each library type is, and each project class that derives from one."""
    library = resolver.library
    found = {name: _role(library, name) for name in library.catalogue.types}
    for name in resolver.symbols.classes:
        lineage = resolver.lineage(Type(name))[1:]
        found[name] = next((role for base in lineage if (role := _role(library, base.name))), "")
    return {name: role for name, role in found.items() if role}


def _role(library: Library, name: str) -> str:
    return next((spec.role for each in library.lineage(name) if (spec := library.type_spec(each)).role), "")


def _info(resolver: Resolver, given: Given, applied: Applied, function_id: int) -> FunctionInfo:
    symbols = resolver.symbols
    function = symbols.function(function_id)
    module = symbols.module_of(function_id)
    given.see(function_id, function, module.kind)
    applied.see(function_id, function)
    names = tuple(each.name for each in _own_parameters(function))
    return FunctionInfo(
        id=function_id,
        name=symbols.qualified(function_id),
        file=module.path,
        line=function.line,
        end_line=function.end_line,
        is_async=runs_on_loop(resolver, function_id, function),
        parameters=names,
        kind=module.kind,
        is_property=resolver.is_property(function_id) if function.decorators else False,
        entry=declared_entry(resolver, function_id, function, module.kind),
        per_element=is_per_element(resolver, function_id, function),
    )


def _own_parameters(function: Function) -> tuple[Parameter, ...]:
    parameters = [each for each in function.parameters if each.kind in {"positional", "keyword"}]
    static = any(each.chain == "staticmethod" for each in function.decorators)
    return tuple(parameters[1:] if function.owner >= 0 and not static else parameters)


def _unique_methods(resolver: Resolver) -> dict[str, int]:
    """Method names that one class alone defines and no library has; properties are read, never called."""
    elsewhere = {name.rpartition(".")[2] for name in resolver.library.catalogue.calls}
    counts: dict[str, list[int]] = {}
    for symbol in resolver.symbols.classes.values():
        for name, method in symbol.methods.items():
            counts.setdefault(name, []).append(method)
    return {
        name: each[0]
        for name, each in counts.items()
        if len(each) == 1 and not name.startswith("_") and name not in elsewhere and not resolver.is_property(each[0])
    }


def _link_file(linker: Linker, known: Known, file: int) -> FileLinks:
    linked = linker.link_file(file)
    facts = linker.symbols.facts(file)
    summaries = [summarise(function, each, known) for function, each in zip(facts.functions, linked, strict=True)]
    entries = tuple(
        entry
        for function, each in zip(facts.functions, linked, strict=True)
        for entry in registered_entries(linker, function, each)
    )
    links = [link for each in linked for link in each.links]
    local: set[str] = {effect.kind for link in links if link.effects for effect in link.effects}
    if LAZY in {link.library for link in links}:
        local.add("db-read")  # what a relationship may cost when it is read
    parts = kept_parts(linker.symbols, file, linked)
    encode, kept = msgspec.msgpack.encode, _as_is if linker.symbols.held else pack
    return FileLinks(
        file=file,
        linked=kept(encode(linked)),
        summaries=kept(encode(summaries)),
        entries=entries,
        local_kinds=tuple(sorted(local)),
        parts=parts,
        lines=facts.lines,
        unresolved=sum(each.unresolved for each in summaries),
        remarks=tuple(_remarks(facts)),
        mentions=mentions_of(facts),
    )


def _as_is(encoded: bytes) -> bytes:
    """What a small project's links are kept as: to pack and unpack them takes longer than they live."""
    return encoded


def _remarks(facts: FileFacts) -> Iterator[Remark]:
    """What comments say to evenkeel. One whose statement the front end does not tell speaks of its own line."""
    for number, (line, text) in enumerate(facts.suppressions):
        spans = facts.suppressed_lines[number : number + 1]
        first, last = spans[0] if spans else (line, line)
        yield Remark(facts.path, line, text, first, last)


def _link_all(linker: Linker, known: Known, jobs: int, emit: Emit) -> None:
    count = len(linker.symbols.modules)
    if jobs < 2 or count < PARALLEL_FROM or not can_fork():
        _link_files(linker, known, range(count), emit)
        return
    # This process does its share: one that waits would only hold its memory.
    own, *others = shares(linker.symbols.encoded, jobs)
    answers = run_forked(
        [partial(_link_chunk, linker, known, chunk) for chunk in others],
        timeout_s=LONGEST_LINK_S,
        meanwhile=lambda: _link_files(linker, known, own, emit),
    )
    for chunk, answer in zip(others, answers, strict=True):
        if answer.error:  # whatever went wrong over there is a plain exception here
            _link_files(linker, known, chunk, emit)
            continue
        for each in msgspec.msgpack.decode(answer.result, type=list[FileLinks]):
            emit(each)


def _link_files(linker: Linker, known: Known, files: Iterable[int], emit: Emit) -> None:
    for file in files:
        emit(_link_file(linker, known, file))


def _link_chunk(linker: Linker, known: Known, files: Sequence[int], _: Send) -> bytes:
    return msgspec.msgpack.encode([_link_file(linker, known, file) for file in files])
