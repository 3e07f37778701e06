package structure_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/omnibucket/storage/analyzers/structure"
)

func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), structure.Analyzer, "github.com/omnibucket/storage/a", "elsewhere")
}
