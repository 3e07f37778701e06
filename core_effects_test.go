package storage_test

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"iter"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/core/effect"
)

// coreEffects maps each method of Core to the effects that an operation has if it calls this method.
var coreEffects = effectsOfCore()

// effectsOfCore returns the value of coreEffects.
func effectsOfCore() map[string]effect.Set {
	all := map[string]effect.Set{}
	methods := reflect.TypeFor[storage.Core]()
	for i := range methods.NumMethod() {
		name := methods.Method(i).Name
		if token.IsExported(name) {
			all[name] = effect.Operations[name]
		}
	}
	all["Source"] = effect.Read // functions read the source of a copy by it
	all["CopyFrom"] = effect.Operations["Copy"]
	all["PutSignedPart"] = effect.Operations["PutPart"]
	all["Native"] = effect.Operations["As"]
	return all
}

// Each method in coreEffects has an effect, except Supports, Name and Close.
func TestCoreEffectsOfEachMethod(t *testing.T) {
	withoutEffect := []string{"Supports", "Name", "Close"}
	for name, effects := range coreEffects {
		require.Equal(t, slices.Contains(withoutEffect, name), effects == 0, name)
	}
}

// For each effect, the doc comment of Core lists exactly the methods that have this effect in coreEffects.
func TestCoreCommentListsMethods(t *testing.T) {
	comment := commentOfCore(t)
	separators := strings.NewReplacer(",", "", " and ", " ")
	tests := []struct {
		word   string // of the comment
		effect effect.Set
	}{
		{word: "read", effect: effect.Read},
		{word: "written", effect: effect.Write},
		{word: "removed", effect: effect.Remove},
		{word: "listed", effect: effect.List},
		{word: "described by attributes or tags", effect: effect.Describe},
	}
	for _, tt := range tests {
		t.Run(tt.word, func(t *testing.T) {
			// The comment says: "To see what is read, override Download, CopyFrom and ...".
			_, list, found := strings.Cut(comment, "To see what is "+tt.word+", override ")
			require.True(t, found)
			list, _, found = strings.Cut(list, ".")
			require.True(t, found)

			// The comment must list exactly the methods that have this effect.
			var want []string
			for name, effects := range coreEffects {
				if effects&tt.effect != 0 {
					want = append(want, name)
				}
			}
			require.ElementsMatch(t, want, strings.Fields(separators.Replace(list)))
		})
	}
}

// commentOfCore returns the comment of the type Core in one line.
func commentOfCore(t *testing.T) string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), "core.go", nil, parser.ParseComments)
	require.NoError(t, err)
	for _, decl := range file.Decls {
		block, ok := decl.(*ast.GenDecl)
		if ok && strings.HasPrefix(block.Doc.Text(), "A Core implements") {
			return strings.Join(strings.Fields(block.Doc.Text()), " ")
		}
	}
	require.Fail(t, "core.go has no comment of the type Core")
	return ""
}

// A Core can forbid an effect by refusing the methods that its doc comment lists for that effect. No function or method
// then has the effect.
func TestCoreRefusesByList(t *testing.T) {
	for _, store := range slices.Sorted(maps.Keys(watchedStores)) {
		for _, tt := range watchedCalls {
			if strings.HasPrefix(tt.name, "MultipartUpload.") {
				// The upload was begun without the Core.
				continue
			}
			// Refuse each effect of the call that the doc comment of Core has a list for.
			for _, refused := range bitsOf(tt.effects & (read | write | remove | list | describe)) {
				t.Run(store+"/"+tt.name+"/"+refused.String(), func(t *testing.T) {
					// This Core refuses the methods of the list.
					watched := newWatchedBucket(t, store)
					bucket, err := storage.Wrap(watched.Bucket, func(c storage.Core) storage.Core {
						return refusing{c, effect.Set(refused)}
					})
					require.NoError(t, err)
					watched.reset(denyNothing) // the Core refuses the call, and not the hook

					// The call fails, and no request with the effect reaches the store.
					require.Error(t, tt.call(t.Context(), bucket, watched))
					for _, request := range watched.requests {
						require.Zero(t, requestEffects[request.call]&refused, request.call)
					}
				})
			}
		}
	}
}

// A refusing Core refuses the methods with some effects, and passes on all others.
type refusing struct {
	storage.Core
	refused effect.Set
}

func (c refusing) by(method string) storage.Core {
	if coreEffects[method]&c.refused != 0 {
		return storage.UnimplementedCore{}
	}
	return c.Core
}

func (c refusing) Upload(
	ctx context.Context, key string, body io.Reader, o *storage.UploadOptions,
) (*storage.Attrs, error) {
	return c.by("Upload").Upload(ctx, key, body, o)
}

func (c refusing) Download(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Reader, error) {
	return c.by("Download").Download(ctx, key, o)
}

func (c refusing) Attrs(ctx context.Context, key string, o *storage.DownloadOptions) (*storage.Attrs, error) {
	return c.by("Attrs").Attrs(ctx, key, o)
}

func (c refusing) Exists(ctx context.Context, key string, o *storage.DownloadOptions) (bool, error) {
	return c.by("Exists").Exists(ctx, key, o)
}

func (c refusing) Remove(ctx context.Context, key string, o *storage.RemoveOptions) error {
	return c.by("Remove").Remove(ctx, key, o)
}

func (c refusing) RemoveAll(ctx context.Context, keys iter.Seq[string]) (removed int, err error) {
	return c.by("RemoveAll").RemoveAll(ctx, keys)
}

func (c refusing) RemoveVersions(
	ctx context.Context, versions iter.Seq[storage.VersionEntry],
) (removed int, err error) {
	return c.by("RemoveVersions").RemoveVersions(ctx, versions)
}

func (c refusing) List(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.ListEntry, error] {
	return c.by("List").List(ctx, o)
}

func (c refusing) ListPage(ctx context.Context, token string, o *storage.ListOptions) (*storage.Page, error) {
	return c.by("ListPage").ListPage(ctx, token, o)
}

func (c refusing) Versions(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.VersionEntry, error] {
	return c.by("Versions").Versions(ctx, o)
}

func (c refusing) Source(key string) storage.CopySource {
	return c.by("Source").Source(key)
}

func (c refusing) CopyFrom(
	ctx context.Context, key string, src storage.CopySource, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return c.by("CopyFrom").CopyFrom(ctx, key, src, o)
}

func (c refusing) Compose(
	ctx context.Context, key string, srcKeys []string, o *storage.CopyOptions,
) (*storage.Attrs, error) {
	return c.by("Compose").Compose(ctx, key, srcKeys, o)
}

func (c refusing) Move(ctx context.Context, src, dst string, o *storage.CopyOptions) (*storage.Attrs, error) {
	return c.by("Move").Move(ctx, src, dst, o)
}

func (c refusing) Tags(ctx context.Context, key string, o *storage.DownloadOptions) (map[string]string, error) {
	return c.by("Tags").Tags(ctx, key, o)
}

func (c refusing) SetTags(ctx context.Context, key string, tags map[string]string, o *storage.ChangeOptions) error {
	return c.by("SetTags").SetTags(ctx, key, tags, o)
}

func (c refusing) SetRetention(ctx context.Context, key string, r storage.Retention, o *storage.ChangeOptions) error {
	return c.by("SetRetention").SetRetention(ctx, key, r, o)
}

func (c refusing) SetLegalHold(ctx context.Context, key string, hold bool, o *storage.ChangeOptions) error {
	return c.by("SetLegalHold").SetLegalHold(ctx, key, hold, o)
}

func (c refusing) Restore(ctx context.Context, key string, o *storage.ChangeOptions) error {
	return c.by("Restore").Restore(ctx, key, o)
}

func (c refusing) SignedUploadURL(ctx context.Context, key string, o *storage.SignOptions) (*storage.SignedURL, error) {
	return c.by("SignedUploadURL").SignedUploadURL(ctx, key, o)
}

func (c refusing) SignedDownloadURL(
	ctx context.Context, key string, o *storage.SignOptions,
) (*storage.SignedURL, error) {
	return c.by("SignedDownloadURL").SignedDownloadURL(ctx, key, o)
}

func (c refusing) SignedRemoveURL(ctx context.Context, key string, o *storage.SignOptions) (*storage.SignedURL, error) {
	return c.by("SignedRemoveURL").SignedRemoveURL(ctx, key, o)
}

func (c refusing) SignedUploadForm(
	ctx context.Context, key string, minSize, maxSize int64, o *storage.SignOptions,
) (*storage.SignedForm, error) {
	return c.by("SignedUploadForm").SignedUploadForm(ctx, key, minSize, maxSize, o)
}

func (c refusing) PublicURL(key string) (string, error) {
	return c.by("PublicURL").PublicURL(key)
}

func (c refusing) Vend(
	ctx context.Context, prefix string, rights storage.Rights, ttl time.Duration,
) (*storage.VendedCredentials, error) {
	return c.by("Vend").Vend(ctx, prefix, rights, ttl)
}

func (c refusing) BeginUpload(
	ctx context.Context, key string, o *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	return c.by("BeginUpload").BeginUpload(ctx, key, o)
}

func (c refusing) ContinueUpload(
	ctx context.Context, token string, o *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	return c.by("ContinueUpload").ContinueUpload(ctx, token, o)
}

func (c refusing) ContinueListedUpload(
	ctx context.Context, entry storage.UploadEntry, o *storage.UploadOptions,
) (storage.MultipartUpload, error) {
	return c.by("ContinueListedUpload").ContinueListedUpload(ctx, entry, o)
}

func (c refusing) ListUploads(ctx context.Context, o *storage.ListOptions) iter.Seq2[storage.UploadEntry, error] {
	return c.by("ListUploads").ListUploads(ctx, o)
}

func (c refusing) AbortUpload(ctx context.Context, entry storage.UploadEntry) error {
	return c.by("AbortUpload").AbortUpload(ctx, entry)
}

func (c refusing) AbandonUpload(ctx context.Context, path, prefix string) error {
	return c.by("AbandonUpload").AbandonUpload(ctx, path, prefix)
}

func (c refusing) PutSignedPart(
	ctx context.Context, key, upload string, number int, body io.Reader, o *storage.PartOptions,
) (*storage.UploadedPart, error) {
	return c.by("PutSignedPart").PutSignedPart(ctx, key, upload, number, body, o)
}

func (c refusing) Native() any {
	return c.by("Native").Native()
}
