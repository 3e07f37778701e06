package driver_test

import (
	"bytes"
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/crc32c"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// carries reports whether a value of type t can hold or lead to the bytes of an object, or to their
// checksum, size or ETag.
func carries(t reflect.Type, visited map[reflect.Type]bool) bool {
	if visited[t] {
		return false
	}
	visited[t] = true
	switch t {
	case reflect.TypeFor[io.Reader](),
		reflect.TypeFor[io.ReadCloser](),
		reflect.TypeFor[storage.CRC32C](),
		reflect.TypeFor[driver.ObjectRef](),
		reflect.TypeFor[storage.SignedURL](),
		reflect.TypeFor[storage.SignedForm](),
		reflect.TypeFor[storage.VendedCredentials](),
		reflect.TypeFor[storage.ListEntry]():
		return true
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return carries(t.Elem(), visited)
	case reflect.Struct:
		for i := range t.NumField() {
			if carries(t.Field(i).Type, visited) {
				return true
			}
		}
	}
	return false
}

// The comment of Layer lists each method of Driver whose parameters or results can carry bytes of an object.
func TestLayerListIsComplete(t *testing.T) {
	// Find the methods whose parameters or results can carry bytes.
	var want []string
	methods := reflect.TypeFor[driver.Driver]()
	for i := range methods.NumMethod() {
		method := methods.Method(i)
		if method.Name == "Describe" || method.Name == "BeginParts" { // the request of BeginParts has no body
			continue
		}
		if signatureCarries(method.Type) {
			want = append(want, method.Name)
		}
	}
	slices.Sort(want)

	// Find those that the comment lists: "must override Get, Put and ...".
	_, list, _ := strings.Cut(commentOfLayer(t), "must override ")
	list, _, _ = strings.Cut(list, ".")
	listed := regexp.MustCompile(`[A-Z]\w+`).FindAllString(list, -1)

	require.Equal(t, want, listed)
}

// signatureCarries reports whether a parameter or a result of a method carries bytes of an object.
func signatureCarries(method reflect.Type) bool {
	for i := range method.NumIn() {
		if carries(method.In(i), map[reflect.Type]bool{}) {
			return true
		}
	}
	for i := range method.NumOut() {
		if carries(method.Out(i), map[reflect.Type]bool{}) {
			return true
		}
	}
	return false
}

// commentOfLayer returns the comment of the type Layer in one line.
func commentOfLayer(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "layer.go", nil, parser.ParseComments)
	require.NoError(t, err)
	for _, decl := range file.Decls {
		block, ok := decl.(*ast.GenDecl)
		if !ok || block.Tok != token.TYPE {
			continue
		}
		if spec := block.Specs[0].(*ast.TypeSpec); spec.Name.Name == "Layer" {
			return strings.Join(strings.Fields(block.Doc.Text()), " ")
		}
	}
	require.Fail(t, "layer.go has no type Layer")
	return ""
}

// A flipping layer changes each stored byte. It overrides all methods that the comment of Layer
// lists, except for those that the engine never calls because of what its Describe returns.
type flipping struct{ driver.Driver }

// flipped returns the bytes with each bit inverted.
func flipped(b []byte) []byte {
	data := make([]byte, len(b))
	for i := range b {
		data[i] = ^b[i]
	}
	return data
}

func (d flipping) Describe() driver.Description {
	desc := d.Driver.Describe()
	features := storage.ConditionalCreate | storage.ConditionalUpdate | storage.Metadata | storage.ContentProperties |
		storage.MultipartUploads | storage.OrderedListing | storage.UniqueRevisions | storage.Versioning |
		driver.SequentialParts | driver.EqualParts
	desc.Features &= features
	desc.Stack = append(desc.Stack, "flipping")
	return desc
}

// flip reads body. It returns the flipped bytes, which are stored, with their checksum, and the
// checksum of the bytes that were read.
func flip(body io.Reader) (stored *bytes.Reader, storedCRC, readCRC storage.CRC32C, err error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, storage.CRC32C{}, storage.CRC32C{}, err
	}
	inverted := flipped(content)
	storedCRC = storage.CRC32C{Sum: crc32c.Sum(inverted), Known: true}
	readCRC = storage.CRC32C{Sum: crc32c.Sum(content), Known: true}
	return bytes.NewReader(inverted), storedCRC, readCRC, nil
}

// Put stores the flipped bytes. The caller gets the checksum of its own bytes.
func (d flipping) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	stored, storedCRC, callerCRC, err := flip(r.Body)
	if err != nil {
		return nil, err
	}
	req := *r
	req.Body = stored
	req.CRC32C = storedCRC
	attrs, err := d.Driver.Put(ctx, &req)
	if err != nil {
		return attrs, err
	}
	attrs.CRC32C = callerCRC
	return attrs, nil
}

// PutPart stores the flipped bytes. The caller gets the checksum of its own bytes.
func (d flipping) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	stored, storedCRC, callerCRC, err := flip(r.Body)
	if err != nil {
		return driver.Part{}, err
	}
	req := *r
	req.Body = stored
	req.CRC32C = storedCRC
	part, err := d.Driver.PutPart(ctx, &req)
	part.CRC32C = callerCRC
	return part, err
}

// CompleteParts flips the bytes of the last part, if it comes with the request. The checksums of the
// caller are not those of the stored bytes, so the inner driver gets none.
func (d flipping) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	req := *r
	put := *r.Put
	put.CRC32C = storage.CRC32C{}
	req.Put = &put
	req.Parts = slices.Clone(r.Parts)
	for i := range req.Parts {
		req.Parts[i].CRC32C = storage.CRC32C{}
	}
	if r.Last != nil {
		stored, storedCRC, _, err := flip(r.Last.Body)
		if err != nil {
			return nil, err
		}
		last := *r.Last
		last.Body = stored
		last.CRC32C = storedCRC
		req.Last = &last
	}

	attrs, err := d.Driver.CompleteParts(ctx, &req)
	if err != nil {
		return attrs, err
	}
	attrs.CRC32C = r.Put.CRC32C
	return attrs, nil
}

// Get returns the bytes of the caller. Their checksum is not known.
func (d flipping) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	attrs, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	stored, err := io.ReadAll(body)
	attrs.CRC32C = storage.CRC32C{}
	return attrs, io.NopCloser(bytes.NewReader(flipped(stored))), err
}

// Head removes the checksum, which is that of the stored bytes.
func (d flipping) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	attrs, err := d.Driver.Head(ctx, r)
	if err != nil {
		return attrs, err
	}
	attrs.CRC32C = storage.CRC32C{}
	return attrs, nil
}

func (d flipping) Locate(key string) driver.ObjectRef {
	ref := d.Driver.Locate(key)
	ref.Account = d
	return ref
}

// A layer overrides all methods that the comment of Layer lists. It then changes each byte that is
// stored, even the end of an object whose parts are stored in sequence.
func TestLayerByTheListChangesEachByte(t *testing.T) {
	const partSize = 64
	const start = "0123"
	want := strings.Repeat("0123456789", 30) // several parts

	stores := []struct {
		name   string
		limits faults.Limits
	}{
		{name: "one request"},
		{
			name: "sequential parts",
			limits: faults.Limits{
				Disable:     driver.StreamingPut,
				Sequential:  true,
				MaxPutSize:  partSize,
				MinPartSize: partSize,
			},
		},
		{
			name: "equal parts",
			limits: faults.Limits{
				Disable:     driver.StreamingPut,
				EqualParts:  true,
				MaxPutSize:  partSize,
				MinPartSize: partSize,
			},
		},
		{
			name: "any parts",
			limits: faults.Limits{
				Disable:     driver.StreamingPut,
				MaxPutSize:  partSize,
				MinPartSize: partSize,
			},
		},
	}
	for _, tt := range stores {
		t.Run(tt.name, func(t *testing.T) {
			// The layer flips the bits of each byte. Without the layer, a bucket shows what the store has.
			store := memstore.NewDriver(memstore.Config{})
			withoutLayer := engine.New(store)
			layer := func(d driver.Driver) driver.Driver { return flipping{d} }
			b := engine.New(store, driver.WithLayer(faults.WithLimits(tt.limits)), driver.WithLayer(layer))

			// Write the same bytes in each way.
			bodies := map[string]io.Reader{
				"stream":   struct{ io.Reader }{strings.NewReader(want)},
				"in place": strings.NewReader(want),
				"small":    strings.NewReader(start),
			}
			for key, body := range bodies {
				_, err := b.Upload(t.Context(), key, body)
				require.NoError(t, err, key)
			}
			_, err := storage.Append(t.Context(), b, "small", []byte(strings.TrimPrefix(want, start)))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), b, "copy", b, "stream")
			require.NoError(t, err)
			_, err = storage.Move(t.Context(), b, "copy", "moved")
			require.NoError(t, err)

			// Each object has these bytes, and in the store they are flipped.
			for _, key := range []string{"stream", "in place", "small", "moved"} {
				content, _, err := storage.ReadAll(t.Context(), b, key)
				require.NoError(t, err, key)
				require.Equal(t, want, string(content), key)

				content, _, err = storage.ReadAll(t.Context(), withoutLayer, key)
				require.NoError(t, err, key)
				require.Equal(t, want, string(flipped(content)), key)
			}
		})
	}
}
