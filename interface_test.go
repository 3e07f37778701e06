package storage_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// The interface Bucket is the union of the interfaces for single permissions, such as Uploader.
var (
	_ interface {
		storage.Uploader
		storage.Downloader
		storage.Lister
		storage.AttrsReader
		storage.Remover
		storage.SignedUploader
		storage.SignedDownloader
		storage.PublicLinker
		storage.ReadWriter
	} = storage.Bucket(nil)
	_ storage.Bucket = interface {
		storage.ReadWriter
		storage.SignedUploader
		storage.SignedDownloader
		storage.PublicLinker
	}(nil)
)

// The interface Bucket declares its nine methods itself, because go doc and editors find a method only there.
func TestBucketDeclaresItsMethods(t *testing.T) {
	// Read the declaration of the interface.
	file, err := parser.ParseFile(token.NewFileSet(), "bucket.go", nil, parser.ParseComments)
	require.NoError(t, err)
	bucket, ok := file.Scope.Lookup("Bucket").Decl.(*ast.TypeSpec).Type.(*ast.InterfaceType)
	require.True(t, ok)

	// Each method has a name and a doc comment.
	var names []string
	for _, method := range bucket.Methods.List {
		require.Len(t, method.Names, 1, "an embedded interface has no name")
		name := method.Names[0].Name
		require.NotEmpty(t, method.Doc.Text(), name)
		names = append(names, name)
	}

	want := []string{
		"Upload",
		"Download",
		"List",
		"Attrs",
		"Exists",
		"Remove",
		"SignedUploadURL",
		"SignedDownloadURL",
		"PublicURL",
	}
	require.Equal(t, want, names)
}
