package storage_test

import (
	"iter"
	"reflect"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// Each method of UnimplementedCore fails with Unsupported, even a method that a later version adds. Only Supports,
// Name, Native, Close and Source do not fail.
func TestUnimplementedCoreRefuses(t *testing.T) {
	core := reflect.TypeFor[storage.Core]()
	harmless := []string{"Supports", "Name", "Native", "Close", "Source"}

	for i := range core.NumMethod() {
		name := core.Method(i).Name
		t.Run(name, func(t *testing.T) {
			method := reflect.ValueOf(storage.UnimplementedCore{}).MethodByName(name)
			// Call the method with zero values.
			args := make([]reflect.Value, method.Type().NumIn())
			for i := range args {
				args[i] = reflect.Zero(method.Type().In(i))
			}

			// The error is the last result, or what a listing yields.
			results := method.Call(args)
			err, _ := results[len(results)-1].Interface().(error)
			switch listing := results[0].Interface().(type) {
			case iter.Seq2[storage.ListEntry, error]:
				err = refusalOf(listing)
			case iter.Seq2[storage.VersionEntry, error]:
				err = refusalOf(listing)
			case iter.Seq2[storage.UploadEntry, error]:
				err = refusalOf(listing)
			}

			if slices.Contains(harmless, name) {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, storage.Unsupported)
		})
	}

	// The source of the Core cannot be read either.
	_, err := storage.UnimplementedCore{}.Source("k").Download(t.Context(), &storage.DownloadOptions{})
	require.ErrorIs(t, err, storage.Unsupported)
	require.False(t, storage.UnimplementedCore{}.Supports(storage.Metadata))
}

// In a bucket whose Core only embeds UnimplementedCore, Attrs fails with Unsupported, and Close succeeds.
func TestUnimplementedCoreEmbedded(t *testing.T) {
	type emptyCore struct {
		storage.UnimplementedCore
	}
	bucket := storage.NewBucket(emptyCore{})
	_, err := bucket.Attrs(t.Context(), "k")
	require.ErrorIs(t, err, storage.Unsupported)
	require.NoError(t, storage.Close(bucket))
}
