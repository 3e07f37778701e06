package readonly_test

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/memstore"
)

// reads are the methods that change nothing. All others must be refused.
var reads = map[string]bool{
	"Describe":     true,
	"Locate":       true,
	"Native":       true,
	"Close":        true,
	"Get":          true,
	"Head":         true,
	"Tags":         true,
	"Sign":         true,
	"Vend":         true,
	"List":         true,
	"ListParts":    true,
	"ListUploads":  true,
	"ListVersions": true,
}

// newDrivers returns a driver with an object, and a read-only view of it. calls are the names of
// the calls that reached the driver.
func newDrivers(t *testing.T, c readonly.Config) (view driver.Driver, calls *[]string) {
	t.Helper()
	d := memstore.NewDriver(memstore.Config{})
	_, err := d.Put(t.Context(), &driver.PutRequest{Key: "a", Body: strings.NewReader("abc"), Size: 3})
	require.NoError(t, err)
	calls = new([]string)
	counted := driver.Intercept(d,
		func(ctx context.Context, call string, next func(context.Context) error) error {
			*calls = append(*calls, call)
			return next(ctx)
		})
	return readonly.New(c)(counted), calls
}

// A readonly layer refuses every method that changes something, even one that is added to the interface
// later.
func TestMethodsThatChangeAreRefused(t *testing.T) {
	view, calls := newDrivers(t, readonly.Config{})
	driverType := reflect.TypeFor[driver.Driver]()
	for i := range driverType.NumMethod() {
		method := driverType.Method(i)
		changesNothing := reads[method.Name]
		if changesNothing {
			continue
		}
		t.Run(method.Name, func(t *testing.T) {
			// The first parameter is the context, and the others get a value of their type.
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			for n := 1; n < method.Type.NumIn(); n++ {
				args = append(args, argument(method.Type.In(n)))
			}

			// The last result is the error, or the errors of a batch.
			results := reflect.ValueOf(view).MethodByName(method.Name).Call(args)
			switch result := results[len(results)-1].Interface().(type) {
			case error:
				require.ErrorIs(t, result, storage.PermissionDenied)
			case []error:
				require.ErrorIs(t, errors.Join(result...), storage.PermissionDenied)
			default:
				t.Error("the method returned no error")
			}
		})
	}
	require.Empty(t, *calls, "a call reached the store")
}

// argument returns an argument of the given type for a method of a driver. A pointer is not nil,
// and a slice has one element.
func argument(t reflect.Type) reflect.Value {
	switch t.Kind() {
	case reflect.Pointer:
		return reflect.New(t.Elem())
	case reflect.Slice:
		return reflect.MakeSlice(t, 1, 1)
	default:
		return reflect.Zero(t)
	}
}

// Reads, and calls that sign reads, reach the store.
func TestReadsPass(t *testing.T) {
	view, calls := newDrivers(t, readonly.Config{})
	b := engine.New(view, storage.WithSigningBaseURL("https://files.example"))

	data, _, err := storage.ReadAll(t.Context(), b, "a")
	require.NoError(t, err)
	require.Equal(t, "abc", string(data))

	for entry, err := range b.List(t.Context()) {
		require.NoError(t, err)
		require.Equal(t, "a", entry.Key)
	}

	_, err = b.SignedDownloadURL(t.Context(), "a")
	require.NoError(t, err)

	require.Equal(t, []string{"Get", "List", "Sign"}, *calls)
}

// A readonly bucket refuses SignedUploadURL.
func TestSignedUploadsAreRefused(t *testing.T) {
	view, calls := newDrivers(t, readonly.Config{})
	b := engine.New(view, storage.WithSigningBaseURL("https://files.example"))

	_, err := b.SignedUploadURL(t.Context(), "a")
	require.ErrorIs(t, err, storage.PermissionDenied)
	require.Empty(t, *calls)
}

// A readonly bucket can be the source of a copy, but not its destination.
func TestCopyFromBucketOnly(t *testing.T) {
	view, _ := newDrivers(t, readonly.Config{})
	readonlyBucket := engine.New(view, storage.WithSigningBaseURL("https://files.example"))
	writable := memstore.New()

	_, err := storage.Copy(t.Context(), writable, "a", readonlyBucket, "a")
	require.NoError(t, err)

	_, err = storage.Copy(t.Context(), readonlyBucket, "b", writable, "a")
	require.ErrorIs(t, err, storage.PermissionDenied)
}

// Refused calls return a copy of Config.Refusal, if it is set.
func TestConfigRefusal(t *testing.T) {
	refusal := &storage.Error{
		Code: storage.Locked,
		Err:  errors.New("the bucket is being moved"),
		Hint: "wait an hour",
	}
	view, _ := newDrivers(t, readonly.Config{Refusal: refusal})
	b := engine.New(view, storage.WithSigningBaseURL("https://files.example"))

	_, err := b.Upload(t.Context(), "a", strings.NewReader("b"))
	require.ErrorIs(t, err, storage.Locked)
	require.ErrorContains(t, err, "wait an hour")
	require.Empty(t, refusal.Key, "the call has set the key in its own copy")
}

// A readonly bucket vends credentials for reading only.
func TestCredentialsMayOnlyRead(t *testing.T) {
	view, calls := newDrivers(t, readonly.Config{})
	vend := func(rights storage.Rights) error {
		_, err := view.Vend(t.Context(), &driver.VendRequest{Rights: rights, TTL: time.Hour})
		return err
	}

	require.ErrorIs(t, vend(storage.Rights{Write: true}), storage.PermissionDenied)
	require.ErrorIs(t, vend(storage.Rights{Remove: true}), storage.PermissionDenied)
	require.ErrorIs(t, vend(storage.Rights{Read: true, Write: true}), storage.PermissionDenied)
	require.NotContains(t, *calls, "Vend")

	require.NoError(t, vend(storage.Rights{Read: true, List: true}))
}
