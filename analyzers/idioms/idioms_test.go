package idioms_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/omnibucket/storage/analyzers/idioms"
)

// The analyzer reports what the comments in testdata expect.
func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), idioms.Analyzer, "github.com/omnibucket/storage/a",
		"elsewhere")
}
