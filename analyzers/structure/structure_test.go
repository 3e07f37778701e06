package structure_test

import (
	"fmt"
	"testing"

	"golang.org/x/tools/go/analysis/analysistest"

	"github.com/omnibucket/storage/analyzers/structure"
)

func TestAnalyzer(t *testing.T) {
	analysistest.Run(t, analysistest.TestData(), structure.Analyzer, "github.com/omnibucket/storage/a", "elsewhere")
}

func TestAFolderHasAtMost45Files(t *testing.T) {
	for _, row := range []struct {
		name, first string
		files       int
	}{
		{"45 files", "package a", 45},
		{"46 files", "package a // want `the folder has 46 files, more than 45: divide it by subject`", 46},
	} {
		t.Run(row.name, func(t *testing.T) {
			const folder = "github.com/omnibucket/storage/a/"
			files := map[string]string{folder + "a_test.go": "package a\n", folder + "f00.go": row.first + "\n"}
			for i := 1; i < row.files; i++ {
				files[fmt.Sprintf("%sf%02d.go", folder, i)] = "package a\n"
			}
			files[folder+"f01.go"] = "//go:build ignored\n\npackage a\n"
			dir, clean, err := analysistest.WriteFiles(files)
			if err != nil {
				t.Fatal(err)
			}
			defer clean()
			analysistest.Run(t, dir, structure.Analyzer, "github.com/omnibucket/storage/a")
		})
	}
}
