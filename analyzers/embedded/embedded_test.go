package embedded_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/omnibucket/storage/analyzers/embedded"
)

func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), embedded.Analyzer, "a")
}
