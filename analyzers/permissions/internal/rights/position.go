package rights

import (
	"cmp"
	"go/token"
	"path"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ssa"
)

// position returns the file and line of a call. The file is relative to the module's directory, or
// begins with the import path in a package of another module.
func (d *deriver) position(f *ssa.Function, pos token.Pos) string {
	if f.Synthetic != "" {
		// For a method value, use the position where the value is made.
		if p := d.graph.Made(f); p.IsValid() {
			pos = p
		}
	}
	if !pos.IsValid() {
		pos = f.Pos()
	}
	p := f.Prog.Fset.Position(pos)
	if !p.IsValid() {
		return "in " + f.Name()
	}
	return d.relative(f, p.Filename) + ":" + strconv.Itoa(p.Line)
}

// relative returns the path of a file of f, relative to the module's directory. For a file of
// another module, it returns the import path and the name of the file.
func (d *deriver) relative(f *ssa.Function, file string) string {
	if below, err := filepath.Rel(d.program.Dir, file); err == nil && !strings.HasPrefix(below, "..") {
		return filepath.ToSlash(below)
	}

	pkg := packageOf(f)
	for pkg == "" && f.Parent() != nil {
		f = f.Parent()
		pkg = packageOf(f)
	}
	return path.Join(pkg, filepath.Base(file))
}

// comparePositions compares two positions by file, and then by line.
func comparePositions(a, b string) int {
	fileA, lineA, _ := strings.Cut(a, ":")
	fileB, lineB, _ := strings.Cut(b, ":")
	numberA, _ := strconv.Atoi(lineA)
	numberB, _ := strconv.Atoi(lineB)
	return cmp.Or(strings.Compare(fileA, fileB), numberA-numberB)
}

// compareBool orders false before true.
func compareBool(a, b bool) int {
	if a == b {
		return 0
	}
	if b {
		return -1
	}
	return 1
}
