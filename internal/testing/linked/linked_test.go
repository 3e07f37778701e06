// Package linked_test tests what the linker keeps of a program. If any function that a program calls
// looks a method up by its name, the linker keeps every method of every type, and the program is
// half as large again.
package linked_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	// The programs are built by another process. These imports let the test run again when the packages change.
	_ "github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/testing/testserver"
	_ "github.com/omnibucket/storage/memstore"
	_ "github.com/omnibucket/storage/providers/local"
	_ "github.com/omnibucket/storage/providers/s3"
)

const library = "github.com/omnibucket/storage"

// A generic function is linked with these types as arguments. The type arguments of s3.WithRequest would be types of
// the SDK. It need not be linked, because it only converts its argument to an interface.
var typeArguments = map[string]string{
	"storage.Ref":     "storage.Uploader",
	"storage.As":      "fmt.Stringer",
	"storage.AttrsAs": "fmt.Stringer",
	"s3.WithRequest":  "",
}

// The linker drops unused methods of a program only if no code looks a method up by its name. The core, the directories
// and S3 do not.
func TestLinkerDropsMethods(t *testing.T) {
	testserver.Slow(t)
	tests := []struct {
		name     string
		packages []string
	}{
		{name: "memory and directories", packages: []string{"", "memstore", "providers/local"}},
		{name: "S3", packages: []string{"", "providers/s3"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			// The dump lists what each function depends on. It marks one that looks methods up by name.
			dump := link(t, program(t, tt.packages))
			require.Contains(t, dump, "main.main")
			for line := range strings.Lines(dump) {
				require.NotContains(t, line, "<ReflectMethod>")
			}
		})
	}
}

// link builds a program, and returns what its parts depend on.
func link(t *testing.T, source string) string {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "main.go")
	require.NoError(t, os.WriteFile(name, []byte(source), 0o600))
	cmd := exec.Command("go", "build", "-ldflags=-dumpdep", "-o", filepath.Join(dir, "program"), name)
	var buf bytes.Buffer
	cmd.Stdout = &buf
	cmd.Stderr = &buf
	require.NoError(t, cmd.Run(), "%s\n%s", source, &buf)
	return buf.String()
}

// program returns a program with one variable that contains all functions and methods of some packages.
func program(t *testing.T, packages []string) string {
	t.Helper()
	imports := []string{"fmt"}
	var values []string
	for _, dir := range packages {
		imports = append(imports, strings.TrimSuffix(library+"/"+dir, "/"))
		values = append(values, exported(t, filepath.Join("..", "..", "..", dir))...)
	}

	require.Greater(t, len(values), 20)

	var source strings.Builder
	source.WriteString("package main\n\nimport (\n")
	for _, path := range imports {
		fmt.Fprintf(&source, "\t%q\n", path)
	}
	source.WriteString(")\n\nvar values = []any{\n")
	for _, value := range values {
		fmt.Fprintf(&source, "\t%s,\n", value)
	}
	source.WriteString("}\n\nfunc main() {\n\tvar _ fmt.Stringer\n\tprintln(len(values))\n}\n")
	return source.String()
}

// exported returns expressions for the functions and methods that the package in dir exports on
// this system.
func exported(t *testing.T, dir string) (values []string) {
	t.Helper()
	pkg, err := build.ImportDir(dir, 0)
	require.NoError(t, err)
	for _, name := range pkg.GoFiles {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, name), nil,
			parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, decl := range file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && function.Name.IsExported() {
				values = append(values, expression(t, pkg.Name, function)...)
			}
		}
	}
	return values
}

// expression returns the expression for a function or method, or none if its type is not exported.
func expression(t *testing.T, pkg string, function *ast.FuncDecl) []string {
	t.Helper()
	name := pkg + "." + function.Name.Name
	if function.Recv == nil {
		if function.Type.TypeParams == nil {
			return []string{name}
		}
		require.Contains(t, typeArguments, name, "which type argument should the program use?")
		if typeArguments[name] == "" {
			return nil
		}
		return []string{name + "[" + typeArguments[name] + "]"}
	}
	receiver := function.Recv.List[0].Type
	star, isPointer := receiver.(*ast.StarExpr)
	if isPointer {
		receiver = star.X
	}
	ident, ok := receiver.(*ast.Ident)
	if !ok || !ident.IsExported() {
		return nil
	}
	if isPointer {
		return []string{"(*" + pkg + "." + ident.Name + ")." + function.Name.Name}
	}
	return []string{pkg + "." + ident.Name + "." + function.Name.Name}
}
