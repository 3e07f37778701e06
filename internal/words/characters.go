package words

import "unicode/utf8"

// Beginning returns the beginning of text without cutting a character. limit is the largest number of
// bytes.
func Beginning(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for limit > 0 && !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// WholeCharacters returns the range of data that contains only whole UTF-8 characters. If cutStart
// is true, more text comes before data, and the range leaves out a partial character at the start.
// If cutEnd is true, more text comes after data, and the range leaves out a partial character at
// the end.
func WholeCharacters(data []byte, cutStart, cutEnd bool) (from, to int) {
	to = len(data)
	for cutStart && from < min(to, utf8.UTFMax-1) && !utf8.RuneStart(data[from]) {
		from++
	}
	for back := 1; cutEnd && back <= min(to-from, utf8.UTFMax); back++ {
		if utf8.RuneStart(data[to-back]) {
			if !utf8.FullRune(data[to-back : to]) {
				to -= back
			}
			break
		}
	}
	return from, to
}
