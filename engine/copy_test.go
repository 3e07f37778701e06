package engine_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/storagetest/faults"
)

// renamed makes a store pass for one of another provider.
type renamed struct {
	driver.Driver
	provider string
}

func (r renamed) Describe() driver.Description {
	desc := r.Driver.Describe()
	desc.Provider = r.provider
	return desc
}

func storeOf(provider string) storage.Bucket {
	return memstore.New(driver.WithLayer(func(next driver.Driver) driver.Driver {
		return renamed{next, provider}
	}))
}

// usersBucket is a type that embeds a Bucket: of what is behind it nothing is known.
type usersBucket struct{ storage.Bucket }

// Copy keeps the storage class only if both stores belong to the same provider.
func TestCopyStorageClass(t *testing.T) {
	tests := []struct {
		name     string
		from, to storage.Bucket
		opts     []storage.CopyOption
		want     string
	}{
		{
			name: "from one store to another of the provider",
			from: storeOf("a"),
			to:   storeOf("a"),
			want: "COLD",
		},
		{name: "from another provider", from: storeOf("b"), to: storeOf("a"), want: ""},
		{
			name: "from another provider, with an option",
			from: storeOf("b"),
			to:   storeOf("a"),
			opts: []storage.CopyOption{storage.WithStorageClass("WARM")},
			want: "WARM",
		},
		{
			name: "within the provider, with an option",
			from: storeOf("a"),
			to:   storeOf("a"),
			opts: []storage.CopyOption{storage.WithStorageClass("WARM")},
			want: "WARM",
		},
		{name: "from a user's type", from: usersBucket{storeOf("a")}, to: storeOf("a"), want: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := tt.from.Upload(t.Context(), "k", strings.NewReader("x"),
				storage.WithStorageClass("COLD"))
			require.NoError(t, err)
			_, err = storage.Copy(t.Context(), tt.to, "k", tt.from, "k", tt.opts...)
			require.NoError(t, err)
			attrs, err := tt.to.Attrs(t.Context(), "k")
			require.NoError(t, err)
			require.Equal(t, tt.want, attrs.StorageClass)
		})
	}
}

// If another client replaces an object while a copy onto itself streams it, the new object stays. Copy fails with
// Changed, or with PreconditionFailed for IfAbsent.
func TestCopyOntoItselfKeepsNewerObject(t *testing.T) {
	tests := []struct {
		name  string
		write func(b storage.Bucket) error
		want  string // content of the object
		code  storage.Code
	}{
		{
			name: "Copy",
			write: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "k", b, "k", storage.WithContentType("text/plain"))
				return err
			},
			want: "new",
			code: storage.Changed,
		},
		{
			name: "Copy of a view",
			write: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), storage.Ref[storage.Uploader](b), "k", b, "k")
				return err
			},
			want: "new",
			code: storage.Changed,
		},
		{
			name: "Copy with a condition",
			write: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "k", b, "k", storage.IfAbsent())
				return err
			},
			want: "new",
			code: storage.PreconditionFailed,
		},
		{
			name: "Compose",
			write: func(b storage.Bucket) error {
				_, err := storage.Compose(t.Context(), b, "k", []string{"other", "k"})
				return err
			},
			want: "new",
			code: storage.Changed,
		},
		{
			name: "Copy to another key",
			write: func(b storage.Bucket) error {
				_, err := storage.Copy(t.Context(), b, "other", b, "k")
				return err
			},
			want: "new",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			limits := faults.Limits{Disable: storage.ServerCopy | storage.ServerCompose}
			d := memstore.NewDriver(memstore.Config{})
			direct := engine.New(d)
			var gets atomic.Int64 // Compose reads its sources in parallel
			b := engine.New(d, driver.WithLayer(faults.WithLimits(limits)), driver.WithLayer(func(d driver.Driver) driver.Driver {
				return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
					if call == "Put" && gets.Swap(0) > 0 {
						_, err := direct.Upload(ctx, "k", strings.NewReader("new"))
						require.NoError(t, err)
					}
					if call == "Get" || call == "Head" {
						gets.Add(1)
					}
					return next(ctx)
				})
			}))
			for _, key := range []string{"k", "other"} {
				_, err := direct.Upload(t.Context(), key, strings.NewReader("old"))
				require.NoError(t, err)
			}

			require.Equal(t, tt.code, storage.CodeOf(tt.write(b)))
			text, _, err := storage.ReadAll(t.Context(), direct, "k")
			require.NoError(t, err)
			require.Equal(t, tt.want, string(text))
		})
	}
}

// tagsAfter is a source that another client changes before its tags are read.
type tagsAfter struct {
	driver.Driver
	change func()
}

func (d *tagsAfter) Tags(ctx context.Context, r *driver.GetRequest) (map[string]string, error) {
	d.change()
	return d.Driver.Tags(ctx, r)
}

// If the source is replaced or removed before Copy reads its tags, Copy fails with Changed, instead of storing
// tags of another write.
func TestCopyTagsOfCopiedBytes(t *testing.T) {
	tags := func(value string) storage.UploadOption {
		return storage.WithTags(map[string]string{"of": value})
	}
	for _, openOpts := range [][]storage.OpenOption{nil, {storage.WithVersioning(true)}} {
		tests := []struct {
			name   string
			change func(t *testing.T, b storage.Bucket)
		}{
			{"replaced with tags", func(t *testing.T, b storage.Bucket) {
				_, err := b.Upload(t.Context(), "k", strings.NewReader("new"), tags("new"))
				require.NoError(t, err)
			}},
			{"replaced without tags", func(t *testing.T, b storage.Bucket) {
				_, err := b.Upload(t.Context(), "k", strings.NewReader("new"))
				require.NoError(t, err)
			}},
			{"removed", func(t *testing.T, b storage.Bucket) {
				require.NoError(t, b.Remove(t.Context(), "k"))
			}},
		}
		for _, tt := range tests {
			for end, dst := range map[string]storage.Bucket{"streamed": memstore.New(), "inside the store": nil} {
				t.Run(fmt.Sprintf("%s %s, %d options", tt.name, end, len(openOpts)), func(t *testing.T) {
					d := memstore.NewDriver(memstore.Config{})
					bucket := engine.New(d, openOpts...)
					src := engine.New(&tagsAfter{d, func() {
						tt.change(t, bucket)
					}}, openOpts...)
					if dst == nil {
						dst = bucket
					}
					_, err := bucket.Upload(t.Context(), "k", strings.NewReader("old"), tags("old"))
					require.NoError(t, err)

					_, err = storage.Copy(t.Context(), dst, "copy", src, "k")
					require.ErrorIs(t, err, storage.Changed)
				})
			}
		}
	}
}

// If the credentials may not read the source's tags, Copy makes an object without tags.
func TestCopyWithoutPermissionForTags(t *testing.T) {
	for name, dst := range map[string]storage.Bucket{"streamed": memstore.New(), "inside the store": nil} {
		for code, want := range map[storage.Code]error{storage.PermissionDenied: nil, storage.RateLimited: storage.RateLimited} {
			t.Run(fmt.Sprint(name, " ", code), func(t *testing.T) {
				b := memstore.New(storage.WithRetry(storage.RetryPolicy{Attempts: 1}), driver.WithLayer(func(d driver.Driver) driver.Driver {
					return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
						if call == "Tags" {
							return &storage.Error{Code: code}
						}
						return next(ctx)
					})
				}))
				if dst == nil {
					dst = b
				}
				_, err := b.Upload(t.Context(), "k", strings.NewReader("x"),
					storage.WithTags(map[string]string{"a": "b"}))
				require.NoError(t, err)

				attrs, err := storage.Copy(t.Context(), dst, "copy", b, "k")
				require.ErrorIs(t, err, want)
				if want == nil {
					require.Zero(t, attrs.TagCount)
					attrs, err = dst.Attrs(t.Context(), "copy")
					require.NoError(t, err)
					require.Zero(t, attrs.TagCount)
				}
			})
		}
	}
}

// If reading the source fails with PreconditionFailed, Copy with IfAbsent fails with Changed. PreconditionFailed
// would say that the destination exists.
func TestCopySourcePreconditionFailed(t *testing.T) {
	for name, dst := range map[string]storage.Bucket{"streamed": storeOf("other"), "by the store": nil} {
		for _, failing := range []string{"Get", "Head"} {
			isRefused := false
			src := memstore.New(driver.WithLayer(func(d driver.Driver) driver.Driver {
				return driver.Intercept(d, func(ctx context.Context, call string, next func(context.Context) error) error {
					if call == failing && !isRefused {
						isRefused = true
						return &storage.Error{Code: storage.PreconditionFailed}
					}
					return next(ctx)
				})
			}))
			_, err := src.Upload(t.Context(), "k", strings.NewReader("x"))
			require.NoError(t, err)
			target := dst
			if target == nil {
				target = src
			}
			_, err = storage.Copy(t.Context(), target, "to", src, "k", storage.IfAbsent())
			if !isRefused {
				require.NoError(t, err, name)
				require.NoError(t, target.Remove(t.Context(), "to"))
				continue
			}

			require.ErrorIs(t, err, storage.Changed, "%s, %s", name, failing)
			require.NotErrorIs(t, err, storage.PreconditionFailed, "%s, %s", name, failing)
		}
	}
}

// oldETag sends the bytes of the object that is there with the ETag of the one before, as versitygw does beside a write.
type oldETag struct {
	driver.Driver
	revision string
	change   func()
}

func (d *oldETag) Get(ctx context.Context, r *driver.GetRequest) (*storage.Attrs, io.ReadCloser, error) {
	d.change()
	req := *r
	req.Condition = storage.Condition{}
	attrs, body, err := d.Driver.Get(ctx, &req)
	if err == nil {
		attrs.Revision = d.revision
	}
	return attrs, body, err
}

// If an object has another size under the same revision, a read fails with Changed.
func TestReadFindsOtherSizeOfSameRevision(t *testing.T) {
	for name, use := range map[string]func(storage.Bucket) error{
		"Compose": func(b storage.Bucket) error {
			_, err := storage.Compose(t.Context(), b, "to", []string{"k"})
			return err
		},
		"ReadAt": func(b storage.Bucket) error {
			r, err := storage.NewReaderAt(t.Context(), b, "k")
			require.NoError(t, err)
			_, err = r.ReadAt(make([]byte, 3), 0)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := memstore.NewDriver(memstore.Config{})
			bucket := engine.New(d)
			write := func(text string) *storage.Attrs {
				attrs, err := bucket.Upload(t.Context(), "k", strings.NewReader(text))
				require.NoError(t, err)
				return attrs
			}
			late := &oldETag{d, write("old").Revision, func() {
				write("longer")
			}}

			b := engine.New(late,
				driver.WithLayer(faults.WithLimits(faults.Limits{Disable: storage.ServerCompose})))
			require.ErrorIs(t, use(b), storage.Changed)
			exists, err := b.Exists(t.Context(), "to")
			require.NoError(t, err)
			require.False(t, exists)
		})
	}
}
