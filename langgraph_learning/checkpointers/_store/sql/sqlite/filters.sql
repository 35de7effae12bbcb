-- Each is true or false, never null, so that `not` means what it says. $p is the path, $x the operand as JSON, $w the operand
-- inside objects along the path.

-- filter_null --
-- The value at a path is null, or there is none.
(coalesce(json_type(i.value, :$p), 'null') = 'null')

-- filter_word --
-- The value at a path is this text or this truth value.
(i.value -> :$p is :$x)

-- filter_amount --
-- The value at a path is this number.
coalesce(json_extract(i.value, :$p) = json_extract(:$x, '$$') and json_type(i.value, :$p) in ('integer', 'real'), 0)

-- filter_equal --
-- The value at a path is this list or this object.
coalesce(json_same(i.value -> :$p, :$x), 0)

-- filter_among --
-- The value at a path is one of a list; a missing one counts as null.
json_among(coalesce(i.value -> :$p, 'null'), :$x)

-- filter_number --
-- The value at a path is a number that compares so with this one.
coalesce(json_type(i.value, :$p) in ('integer', 'real')
  and json_extract(i.value, :$p) $operator json_extract(:$x, '$$'), 0)

-- filter_text --
-- The value at a path is a text that compares so with this one, by code points.
coalesce(json_type(i.value, :$p) = 'text' and json_extract(i.value, :$p) $operator json_extract(:$x, '$$'), 0)

-- filter_exists --
-- There is a value at a path, null included.
(json_type(i.value, :$p) is not null)

-- filter_element --
-- The value at a path is a list that contains this element.
json_holds(coalesce(i.value -> :$p, 'null'), :$x)

-- filter_part --
-- The value at a path is a text that contains this one.
coalesce(json_type(i.value, :$p) = 'text' and instr(json_extract(i.value, :$p), json_extract(:$x, '$$')) > 0, 0)
