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
	var want []string
	methods := reflect.TypeFor[driver.Driver]()
	for i := range methods.NumMethod() {
		m := methods.Method(i)
		if m.Name == "Describe" || m.Name == "BeginParts" { // the request of BeginParts has no body
			continue
		}
		if signatureCarries(m.Type) {
			want = append(want, m.Name)
		}
	}

	// The comment says: "must override Put, Get and ...".
	_, list, _ := strings.Cut(commentOfLayer(t), "must override ")
	list, _, _ = strings.Cut(list, ".")
	listed := regexp.MustCompile(`[A-Z]\w+`).FindAllString(list, -1)

	slices.Sort(want)
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

// A flipping layer changes each stored byte. It overrides the methods in the comment of Layer that
// its Describe does not make impossible.
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

// flip returns the flipped bytes of a body, with their checksum, and the checksum of the body.
func flip(body io.Reader) (stored *bytes.Reader, changed, plain storage.CRC32C, err error) {
	content, err := io.ReadAll(body)
	if err != nil {
		return nil, changed, plain, err
	}
	other := flipped(content)
	changed = storage.CRC32C{Sum: crc32c.Sum(other), Known: true}
	plain = storage.CRC32C{Sum: crc32c.Sum(content), Known: true}
	return bytes.NewReader(other), changed, plain, nil
}

func (d flipping) Put(ctx context.Context, r *driver.PutRequest) (*storage.Attrs, error) {
	body, sum, crc, err := flip(r.Body)
	if err != nil {
		return nil, err
	}
	put := *r
	put.Body = body
	put.CRC32C = sum
	a, err := d.Driver.Put(ctx, &put)
	if err == nil {
		a.CRC32C = crc
	}
	return a, err
}

func (d flipping) PutPart(ctx context.Context, r *driver.PartRequest) (driver.Part, error) {
	body, sum, crc, err := flip(r.Body)
	if err != nil {
		return driver.Part{}, err
	}
	put := *r
	put.Body = body
	put.CRC32C = sum
	part, err := d.Driver.PutPart(ctx, &put)
	part.CRC32C = crc
	return part, err
}

func (d flipping) CompleteParts(ctx context.Context, r *driver.CompleteRequest) (*storage.Attrs, error) {
	req := *r
	put := *r.Put
	crc := put.CRC32C
	req.Put = &put
	put.CRC32C = storage.CRC32C{}
	req.Parts = slices.Clone(r.Parts)
	for i := range req.Parts {
		req.Parts[i].CRC32C = storage.CRC32C{}
	}
	if r.Last != nil {
		body, sum, _, err := flip(r.Last.Body)
		if err != nil {
			return nil, err
		}
		last := *r.Last
		last.Body = body
		last.CRC32C = sum
		req.Last = &last
	}
	a, err := d.Driver.CompleteParts(ctx, &req)
	if err == nil {
		a.CRC32C = crc
	}
	return a, err
}

func (d flipping) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	a, body, err := d.Driver.Get(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	defer body.Close()
	data, err := io.ReadAll(body)
	a.CRC32C = storage.CRC32C{}
	return a, io.NopCloser(bytes.NewReader(flipped(data))), err
}

func (d flipping) Head(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, error) {
	a, err := d.Driver.Head(ctx, r)
	if err == nil {
		a.CRC32C = storage.CRC32C{}
	}
	return a, err
}

func (d flipping) Locate(key string) driver.ObjectRef {
	ref := d.Driver.Locate(key)
	ref.Account = d
	return ref
}

// A layer that overrides the methods listed in the comment of Layer changes each byte that is stored, even the end
// of an object in sequential parts.
func TestLayerByTheListChangesEachByte(t *testing.T) {
	limits := map[string]faults.Limits{
		"memory":     {},
		"sequential": {Disable: driver.StreamingPut, Sequential: true, MaxPutSize: 64, MinPartSize: 64},
		"equal":      {Disable: driver.StreamingPut, EqualParts: true, MaxPutSize: 64, MinPartSize: 64},
		"any parts":  {Disable: driver.StreamingPut, MaxPutSize: 64, MinPartSize: 64},
	}
	for name, l := range limits {
		t.Run(name, func(t *testing.T) {
			store := memstore.NewDriver(memstore.Config{})
			below := engine.New(store)
			layer := func(d driver.Driver) driver.Driver { return flipping{d} }
			b := engine.New(store, driver.WithLayer(faults.WithLimits(l)), driver.WithLayer(layer))
			want := strings.Repeat("0123456789", 30)
			for key, body := range map[string]io.Reader{
				"stream":   struct{ io.Reader }{strings.NewReader(want)},
				"in place": strings.NewReader(want),
				"small":    strings.NewReader("0123"),
			} {
				_, err := b.Upload(t.Context(), key, body)
				require.NoError(t, err, key)
			}
			_, err := storage.Copy(t.Context(), b, "copy", b, "stream")
			require.NoError(t, err)
			_, err = storage.Append(t.Context(), b, "small", []byte(want[4:]))
			require.NoError(t, err)
			_, err = storage.Move(t.Context(), b, "copy", "moved")
			require.NoError(t, err)

			for _, key := range []string{"stream", "in place", "small", "moved"} {
				data, _, err := storage.ReadAll(t.Context(), b, key)
				require.NoError(t, err, key)
				require.Equal(t, want, string(data), key)
				content, _, err := storage.ReadAll(t.Context(), below, key)
				require.NoError(t, err, key)
				require.Equal(t, want, string(flipped(content)), key)
			}
		})
	}
}
