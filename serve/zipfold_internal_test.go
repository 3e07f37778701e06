package serve

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Zip adds a number to a name if full case folding makes the name equal to an earlier one. APFS and
// Windows use this folding.
func TestZipNamesOfFoldedLettersDiffer(t *testing.T) {
	pairs := []struct{ first, second string }{
		{first: "straße", second: "STRASSE"},
		{first: "ﬁle", second: "FILE"},
		{first: "İ", second: "i̇"},
		{first: "STRAẞE", second: "strasse"},
	}
	for _, pair := range pairs {
		t.Run(pair.first+" and "+pair.second, func(t *testing.T) {
			names := newZipNames()
			require.Equal(t, pair.first, names.nameOf(pair.first))
			require.Equal(t, pair.second+" (2)", names.nameOf(pair.second))
		})
	}
}

// The function fold makes two names equal if the full case folding of Unicode makes them equal.
func TestFoldIsFullCaseFolding(t *testing.T) {
	fullFold := cases.Fold()
	for r := range unicode.MaxRune {
		if !utf8.ValidRune(r) {
			continue
		}
		letter := string(r)
		folded := norm.NFD.String(fullFold.String(norm.NFD.String(letter)))
		require.Equal(t, fold(folded), fold(letter), "%q and %q", letter, folded)
	}
}
