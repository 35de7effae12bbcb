-- Each is true or false, never null, so that `not` means what it says. $p is the path, $x the operand as JSON, $w the operand
-- inside objects along the path.

-- filter_null --
-- The value at a path is null, or there is none.
coalesce(i.value #> %($p)s::text[] = 'null', true)

-- filter_word --
-- The value at a path is this text or this truth value.
(i.value @> %($w)s::jsonb)

-- filter_amount --
-- The value at a path is this number.
(i.value @> %($w)s::jsonb)

-- filter_equal --
-- The value at a path is this list or this object.
coalesce(i.value #> %($p)s::text[] = %($x)s::jsonb, false)

-- filter_among --
-- The value at a path is one of a list; a missing one counts as null.
(coalesce(i.value #> %($p)s::text[], 'null') = any(array(select jsonb_array_elements(%($x)s::jsonb))))

-- filter_number --
-- The value at a path is a number that compares so with this one.
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'number'
  and i.value #> %($p)s::text[] $operator %($x)s::jsonb, false)

-- filter_text --
-- The value at a path is a text that compares so with this one, by code points.
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'string'
  and (i.value #>> %($p)s::text[]) collate "C" $operator %($x)s::jsonb #>> array[]::text[], false)

-- filter_exists --
-- There is a value at a path, null included.
(i.value #> %($p)s::text[] is not null)

-- filter_element --
-- The value at a path is a list that contains this element.
(case when jsonb_typeof(i.value #> %($p)s::text[]) = 'array'
  then %($x)s::jsonb in (select jsonb_array_elements(i.value #> %($p)s::text[])) else false end)

-- filter_part --
-- The value at a path is a text that contains this one.
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'string'
  and position(%($x)s::jsonb #>> array[]::text[] in i.value #>> %($p)s::text[]) > 0, false)
