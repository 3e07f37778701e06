package storage_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// constants returns the names of the first block of constants in a file.
func constants(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	require.NoError(t, err)
	var names []string
	for _, d := range file.Decls {
		if block, ok := d.(*ast.GenDecl); ok && block.Tok == token.CONST {
			for _, spec := range block.Specs {
				names = append(names, spec.(*ast.ValueSpec).Names[0].Name)
			}
			return names
		}
	}
	return nil
}

// The String of a single feature is the name of its constant.
func TestFeatureString(t *testing.T) {
	// The features of package storage begin at the lowest bit, and those of package driver at the highest.
	const highestBit = 63
	names := constants(t, "features.go")
	require.Equal(t, "ConditionalCreate", names[1])
	for i, name := range names {
		require.Equal(t, name, (storage.Features(1) << i).String())
	}
	for i, name := range constants(t, "driver/features.go") {
		require.Equal(t, name, (storage.Features(1) << (highestBit - i)).String())
	}

}

// The String of several features joins their names, and shows a bit without a name as a number.
func TestFeaturesString(t *testing.T) {
	// No feature has this bit.
	const unnamed storage.Features = 1 << 52
	tests := []struct {
		name     string
		features storage.Features
		want     string
	}{
		{name: "none", features: 0, want: "none"},
		{
			name:     "two",
			features: storage.Versioning | storage.MultipartUploads,
			want:     "MultipartUploads, Versioning",
		},
		{
			name:     "one without a name",
			features: storage.ServerAppend | driver.StreamingPut | unnamed,
			want:     "ServerAppend, 0x10000000000000, StreamingPut",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			require.Equal(t, tt.want, tt.features.String())
		})
	}
}

// newBucketWithout returns a bucket in memory that lacks features.
func newBucketWithout(features storage.Features) storage.Bucket {
	layer := driver.WithLayer(faults.WithLimits(faults.Limits{Disable: features}))
	return engine.New(memstore.NewDriver(memstore.Config{Bucket: "photos"}), layer)
}

// Require names all features that the store lacks.
func TestRequireNamesMissingFeatures(t *testing.T) {
	const conditions = storage.ConditionalCreate | storage.ConditionalUpdate | storage.ConditionalRemove
	const baseHint = "open the bucket with WithSigningBaseURL, or signing_base_url in its address, " +
		"where the handler of package serve is mounted"
	const versionsHint = "if the bucket keeps versions, open it with WithVersioning(true) or versions=true"
	b := newBucketWithout(storage.ConditionalCreate | storage.ConditionalRemove)

	tests := map[string]struct {
		b         any
		features  storage.Features
		wantError string // part of the error, or "" if the store has all features
	}{
		"no features":  {b: b, features: 0, wantError: ""},
		"none missing": {b: b, features: storage.ConditionalUpdate | storage.Metadata, wantError: ""},
		"two missing of three": {
			b:         b,
			features:  conditions,
			wantError: "memory does not support ConditionalCreate, ConditionalRemove here",
		},
		"a Ref": {
			b:         storage.Ref[storage.Remover](b),
			features:  conditions,
			wantError: "ConditionalCreate, ConditionalRemove here",
		},
		"a view of a prefix": {
			b:         storage.Prefixed(b, "a/"),
			features:  conditions,
			wantError: "ConditionalCreate, ConditionalRemove here",
		},
		"a feature of package driver": {
			b:         newBucketWithout(driver.StreamingPut),
			features:  driver.StreamingPut,
			wantError: "does not support StreamingPut here",
		},
		"a hint for signed URLs": {
			b:         b,
			features:  storage.SignedURLs,
			wantError: "SignedURLs here (" + baseHint + ")",
		},
		"a hint for versions": {
			b:         b,
			features:  storage.Versioning,
			wantError: "Versioning here (" + versionsHint + ")",
		},
		"two features with hints": {
			b:         b,
			features:  storage.Versioning | storage.SignedURLs | storage.SignedSize,
			wantError: "Versioning, SignedURLs, SignedSize here (" + versionsHint + "; " + baseHint + ")",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			err := storage.Require(tt.b, tt.features)
			wantSupport := tt.wantError == ""
			require.Equal(t, wantSupport, storage.Supports(tt.b, tt.features))
			if wantSupport {
				require.NoError(t, err)
				return
			}

			var storageErr *storage.Error
			require.ErrorAs(t, err, &storageErr)
			require.Equal(t, storage.Unsupported, storageErr.Code)
			require.Equal(t, "Require", storageErr.Op)
			require.Equal(t, "memory", storageErr.Provider)
			require.Equal(t, "photos", storageErr.Bucket)
			require.ErrorContains(t, err, tt.wantError)
		})
	}
}

// A taglessCore supports no tags, although its store does.
type taglessCore struct{ storage.Core }

func (p taglessCore) Supports(features storage.Features) bool {
	return features&storage.ObjectTags == 0 && p.Core.Supports(features)
}

// Require checks the features that the outermost Core reports, and not those of the store.
func TestRequireAsksOutermostCore(t *testing.T) {
	b, err := storage.Wrap(memstore.New(), func(c storage.Core) storage.Core {
		return taglessCore{c}
	})
	require.NoError(t, err)
	require.NoError(t, storage.Require(b, storage.Metadata))

	err = storage.Require(b, storage.Metadata|storage.ObjectTags)
	require.Equal(t, storage.Unsupported, storage.CodeOf(err))
	require.ErrorContains(t, err, "memory does not support ObjectTags here")
}

// For a bucket of a user's own type, Require assumes Metadata and OrderedListing, but not ServerCopy. For nil, it
// refuses all three.
func TestRequireOfOtherType(t *testing.T) {
	type otherType struct{ storage.Bucket }
	tests := []struct {
		name       string
		bucket     any
		wantCommon bool // whether it has the features that each bucket has
	}{
		{name: "other type", bucket: otherType{memstore.New()}, wantCommon: true},
		{name: "nil"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := storage.Require(tt.bucket, storage.Metadata|storage.OrderedListing)
			require.Equal(t, tt.wantCommon, err == nil)

			err = storage.Require(tt.bucket, storage.Metadata|storage.ServerCopy)
			require.Equal(t, storage.Unsupported, storage.CodeOf(err))
			require.ErrorContains(t, err, "ServerCopy")
			require.ErrorContains(t, err, "not a bucket of this library")
		})
	}
}

// If every call of a bucket fails, Require fails for the same reason.
func TestRequireReportsPermanentFailure(t *testing.T) {
	type otherType struct{ storage.Bucket }
	tests := []struct {
		name   string
		bucket storage.Bucket
		want   storage.Code
	}{
		{name: "bad prefix", bucket: storage.Prefixed(memstore.New(), "a"), want: storage.InvalidArgument},
		{name: "no Core", bucket: storage.NewBucket(nil), want: storage.InvalidArgument},
		{name: "Ref of another type", bucket: storage.Ref[storage.Bucket](otherType{}), want: storage.Unsupported},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := storage.Require(tt.bucket, storage.Metadata)
			require.Equal(t, tt.want, storage.CodeOf(err))

			// A call of the bucket has the same error.
			_, attrsErr := tt.bucket.Attrs(t.Context(), "k")
			require.Equal(t, errors.Unwrap(attrsErr), errors.Unwrap(err))
		})
	}
}
