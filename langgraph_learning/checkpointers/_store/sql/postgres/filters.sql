-- Conditions of a filter. Each is true or false and never null, so that `not` inverts it. $p is the path, $x the operand
-- as JSON, and $w the operand inside objects along the path.

-- filter_null --
-- True if the value at a path is null or missing.
coalesce(i.value #> %($p)s::text[] = 'null', true)

-- filter_word --
-- True if the value at a path is this text or this boolean.
(i.value @> %($w)s::jsonb)

-- filter_amount --
-- True if the value at a path is this number.
(i.value @> %($w)s::jsonb)

-- filter_equal --
-- True if the value at a path is this list or this object.
coalesce(i.value #> %($p)s::text[] = %($x)s::jsonb, false)

-- filter_among --
-- True if the value at a path is in a list; a missing value counts as null.
(coalesce(i.value #> %($p)s::text[], 'null') = any(array(select jsonb_array_elements(%($x)s::jsonb))))

-- filter_number --
-- True if the value at a path is a number and $operator holds between it and the operand.
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'number'
  and i.value #> %($p)s::text[] $operator %($x)s::jsonb, false)

-- filter_text --
-- True if the value at a path is a text and $operator holds between it and the operand, by code points.
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'string'
  and (i.value #>> %($p)s::text[]) collate "C" $operator %($x)s::jsonb #>> array[]::text[], false)

-- filter_exists --
-- True if there is a value at a path, null included.
(i.value #> %($p)s::text[] is not null)

-- filter_element --
-- True if the value at a path is a list that contains this element.
(case when jsonb_typeof(i.value #> %($p)s::text[]) = 'array'
  then %($x)s::jsonb in (select jsonb_array_elements(i.value #> %($p)s::text[])) else false end)

-- filter_part --
-- True if the value at a path is a text that contains this one.
coalesce(jsonb_typeof(i.value #> %($p)s::text[]) = 'string'
  and position(%($x)s::jsonb #>> array[]::text[] in i.value #>> %($p)s::text[]) > 0, false)
