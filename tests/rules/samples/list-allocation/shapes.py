import numpy
from numpy import sum as total

def shapes(rows, find):
    a = any([row for row in rows])  # flagged
    b = any(row for row in rows)
    c = any([rows[0], rows[1]])
    d = max([row.size for row in rows], default=0)  # flagged
    e = sum([[row] for row in rows], [])  # flagged
    f = set(list(rows) + [1])
    g = sorted(list(rows), key=len)  # flagged
    h = numpy.any([row for row in rows])
    i = total([row for row in rows])
    j = list([row for row in rows])  # flagged
    k = tuple([row for row in rows])
    l = "".join([row.name for row in rows])
    m = len([row for row in rows if row.open])
    n = dict([[row.key, row] for row in rows])  # flagged
    o = frozenset([row.key for row in rows])  # flagged
    return a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, [any([x]) for x in rows]

def shadowed(any, rows):
    return any([row for row in rows])

async def waits(rows, find):
    return any([await find(row) for row in rows]), set([row async for row in rows])

def effects(session, rows):
    return all([session.execute("DELETE FROM t WHERE id = 1") for row in rows])

def wild(value, rows):
    return any([char in value for char in ["*", "%"]]), any([char in value for char in [*rows]])  # flagged

def wild_rows(value, rows):
    return any([char in row for row in rows for char in ("*", "%")]), any([row in ("*", "%") for row in rows])  # flagged
