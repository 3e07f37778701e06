package serve

import (
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Zip renames files whose names become equal by full case folding, as APFS and Windows do it.
func TestZipNamesOfFoldedLettersDiffer(t *testing.T) {
	pairs := []struct{ first, second string }{
		{first: "straße", second: "STRASSE"},
		{first: "ﬁle", second: "FILE"},
		{first: "İ", second: "i̇"},
		{first: "STRAẞE", second: "strasse"},
	}
	for _, pair := range pairs {
		names := newZipNames()
		require.Equal(t, pair.first, names.nameOf(pair.first))
		require.Equal(t, pair.second+" (2)", names.nameOf(pair.second))
	}
}

// Two names that full case folding of Unicode makes equal are equal after fold.
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
