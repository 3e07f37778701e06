package listerror_test

import (
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/omnibucket/storage/analyzers/listerror"
)

func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), listerror.Analyzer, "a")
}
