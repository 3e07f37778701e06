package words

import "unicode/utf8"

// WholeCharacters returns the range of data that contains only whole UTF-8 characters. The
// parameter precedes says that more text comes before data. If it is true, the range leaves out a
// cut character at the start of data. The parameter follows says that more text comes after data.
// If it is true, the range leaves out a cut character at the end of data.
func WholeCharacters(data []byte, precedes, follows bool) (from, to int) {
	to = len(data)
	for precedes && from < min(to, utf8.UTFMax-1) && !utf8.RuneStart(data[from]) {
		from++
	}
	for back := 1; follows && back <= min(to-from, utf8.UTFMax); back++ {
		if utf8.RuneStart(data[to-back]) {
			if !utf8.FullRune(data[to-back : to]) {
				to -= back
			}
			break
		}
	}
	return from, to
}
