package uploads_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

var user42 = uploads.User{ID: "42"}

const keyOfUser = "users/{user}/{random}{ext}"

// A client uploads a file to the URL that Sign returned, and Finish stores it. The key and the
// content type follow from the content.
func TestFinishSignedUpload(t *testing.T) {
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Key: keyOfUser})
		content := newPNG()
		request := uploads.Request{Name: "a/me.gif", Type: "image/gif", Size: int64(len(content))}
		ticket, err := s.Sign(t.Context(), request, user42)
		require.NoError(t, err)

		// Nothing has been sent yet.
		_, err = s.Finish(t.Context(), ticket.Token, user42)
		require.Equal(t, uploads.NotUploaded, uploads.CodeOf(err))

		// The client sends the file to a random key.
		require.Equal(t, http.StatusOK, send(t, ticket, content))
		pending := listKeys(t, bucket)
		require.Len(t, pending, 1)
		require.Regexp(t, `^\.uploads/[a-z2-7]{26}$`, pending[0])

		// Finish makes the file under another random key.
		file, err := s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)
		require.Regexp(t, `^users/42/[a-z2-7]{26}\.png$`, file.Key)
		require.NotContains(t, file.Key, strings.TrimPrefix(pending[0], ".uploads/"))
		require.Equal(t, "me.gif", file.Name)
		require.Equal(t, []string{file.Key}, listPublished(t, bucket))

		// The file has the content and its type.
		data, attrs, err := storage.ReadAll(t.Context(), bucket, file.Key)
		require.NoError(t, err)
		require.Equal(t, content, string(data))
		require.Equal(t, "image/png", attrs.ContentType)
		require.Equal(t, "private, max-age=31536000, immutable", attrs.CacheControl)

		// A client that has lost the response calls Finish again.
		repeated, err := s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)
		require.Equal(t, file.Key, repeated.Key)
		require.Equal(t, file.Size, repeated.Size)
	})
}

// Sign and Finish work in a bucket that storage.Prefixed has narrowed, although it has only the methods of Bucket.
func TestFinishInNarrowedBucket(t *testing.T) {
	bucket := openMemory(t)
	narrowed := storage.Ref[storage.Bucket](storage.Prefixed(bucket, "tenants/7/"))
	s := newService(t, narrowed, uploads.Config{Link: uploads.SignedLink})

	// A file is sent and finished. Its key in the whole bucket has the prefix.
	content := newPNG()
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))
	r, err := s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	require.Equal(t, []string{"tenants/7/" + r.Key}, listPublished(t, bucket))

	// Finish can be repeated, and Delete works, too.
	_, err = s.Finish(t.Context(), ticket.Token, uploads.User{})
	require.NoError(t, err)
	require.NoError(t, s.Delete(t.Context(), r.Key, uploads.User{}))
	require.Empty(t, listPublished(t, bucket))
}

// Concurrent calls of Finish for one ticket all succeed, and make one file.
func TestFinishAtOnceMakesOneFile(t *testing.T) {
	const calls = 8
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Key: keyOfUser})
		content := newPNG()
		ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, user42)
		require.NoError(t, err)
		require.Equal(t, http.StatusOK, send(t, ticket, content))

		// Finish the same ticket several times at once.
		files := make([]*uploads.File, calls)
		errs := make([]error, calls)
		var wg sync.WaitGroup
		for i := range calls {
			wg.Go(func() {
				files[i], errs[i] = s.Finish(t.Context(), ticket.Token, user42)
			})
		}
		wg.Wait()

		// All calls return the same file, and there is no other one.
		for i := range calls {
			require.NoError(t, errs[i])
			require.Equal(t, files[0].Key, files[i].Key)
		}
		require.Equal(t, []string{files[0].Key}, listPublished(t, bucket))
	})
}

// A ticket is finished a second time while the first Finish is about to copy the file. Both succeed, and make one file.
func TestFinishDuringAnotherFinish(t *testing.T) {
	// The bucket calls beforeCopy just before it copies an object.
	var beforeCopy func()
	bucket := openMemory(t, driver.WithLayer(callOnceBefore("Copy", &beforeCopy)))
	s := newService(t, bucket, uploads.Config{Key: keyOfUser})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, user42)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, newPNG()))

	// The second Finish runs before the first one copies the file.
	beforeCopy = func() {
		_, err := s.Finish(t.Context(), ticket.Token, user42)
		require.NoError(t, err)
	}
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.NoError(t, err)
	require.Len(t, listPublished(t, bucket), 1)
}

// Some stores permit the sender to replace the file of a ticket. If that happens while Finish is about to copy the
// file, Finish fails with Damaged.
func TestFinishWhileSenderReplacesFile(t *testing.T) {
	// The bucket calls beforeCopy just before it copies an object.
	var beforeCopy func()
	bucket := openMemory(t, driver.WithLayer(callOnceBefore("Copy", &beforeCopy)))
	s := newService(t, bucket, uploads.Config{Key: keyOfUser})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, user42)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, newPNG()))

	// The sender replaces the file before Finish copies it.
	beforeCopy = func() {
		_, err := bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader(newPNG()))
		require.NoError(t, err)
	}
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.Equal(t, uploads.Damaged, uploads.CodeOf(err), "%v", err)
}

// callOnceBefore returns a layer. Before the next call of this name to the store, it calls *f and sets it to nil.
func callOnceBefore(name string, f *func()) driver.Layer {
	return func(next driver.Driver) driver.Driver {
		return driver.Intercept(next, func(ctx context.Context, call string, next func(context.Context) error) error {
			if call == name && *f != nil {
				act := *f
				*f = nil
				act()
			}
			return next(ctx)
		})
	}
}

// Finish refuses a file that breaks a rule, and removes what the sender has sent.
func TestFinishRemovesUploadThatBreaksRule(t *testing.T) {
	tests := []struct {
		name     string
		content  string
		wantCode uploads.Code
	}{
		{name: "a web page", content: htmlPage, wantCode: uploads.TypeNotAllowed},
		{name: "a picture with too many pixels", content: newPNGHeader(60000, 60000), wantCode: uploads.TooManyPixels},
		{name: "half a picture's header", content: newPNG()[:20], wantCode: uploads.Damaged},
		{name: "an empty file", content: "", wantCode: uploads.Empty},
		{name: "a file that is too large", content: newPNG() + strings.Repeat("x", 1<<20), wantCode: uploads.TooLarge},
		{name: "a file that is too small", content: newPNG()[:19], wantCode: uploads.TooSmall},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bucket := openMemory(t)
			s := newService(t, bucket, uploads.Config{Rules: rules.Rules{MinSize: 20, MaxSize: 1 << 20}, Key: keyOfUser})
			ticket, err := s.Sign(t.Context(), uploads.Request{Name: "x.png"}, user42)
			require.NoError(t, err)

			// Some stores do not enforce the size of a signed upload.
			_, err = bucket.Upload(t.Context(), signedKeyOf(ticket), strings.NewReader(tt.content))
			require.NoError(t, err)

			// Finish refuses the file, and nothing is left.
			_, err = s.Finish(t.Context(), ticket.Token, user42)
			require.Equal(t, tt.wantCode, uploads.CodeOf(err), "%v", err)
			require.Empty(t, listKeys(t, bucket))
		})
	}
}

// Finish inspects an SVG of less than 1 MiB as a whole, and refuses a longer one.
func TestFinishInspectsWholeSVG(t *testing.T) {
	const limit = 1 << 20
	const head = `<svg xmlns="http://www.w3.org/2000/svg"><g/></svg>`
	const tail = `<!-- -->`
	tests := []struct {
		length   int
		wantCode uploads.Code
	}{
		{length: limit - 1},
		{length: limit, wantCode: uploads.TooLarge},
		{length: limit + 1, wantCode: uploads.TooLarge},
		{length: 2 * limit, wantCode: uploads.TooLarge},
	}
	runOnBuckets(t, func(t *testing.T, bucket storage.Bucket) {
		s := newService(t, bucket, uploads.Config{Rules: rules.Rules{Types: []string{"image/svg+xml"}}})
		for _, tt := range tests {
			// Spaces before the end make the document as long as tt.length.
			content := head + strings.Repeat(" ", tt.length-len(head)-len(tail)) + tail

			ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, uploads.User{})
			require.NoError(t, err)
			require.Equal(t, http.StatusOK, send(t, ticket, content))
			_, err = s.Finish(t.Context(), ticket.Token, uploads.User{})
			require.Equal(t, tt.wantCode, uploads.CodeOf(err), "%d bytes: %v", tt.length, err)
		}

		// Only the first document was accepted.
		require.Len(t, listPublished(t, bucket), 1)
	})
}

// If the sender replaces a file between its inspection and its copy, Finish judges the new content, or fails with
// Damaged.
func TestFinishFileReplacedDuringInspection(t *testing.T) {
	// Just before Finish copies the file that it has inspected, a hook of the bucket calls replace.
	var replace func()
	bucket := openMemory(t, storage.WithHook(func(
		ctx context.Context, op storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if op.Name == "Copy" {
			replace()
		}
		return ctx, nil, nil
	}))

	tests := []struct {
		name     string
		content  string
		wantCode uploads.Code
	}{
		{name: "by a web page", content: htmlPage, wantCode: uploads.TypeNotAllowed},
		{name: "by a picture of another type", content: newGIF(3, 2), wantCode: uploads.Damaged},
		{
			name:     "by a picture with too many pixels",
			content:  newPNGHeader(60000, 60000),
			wantCode: uploads.TooManyPixels,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newService(t, bucket, uploads.Config{Key: keyOfUser})
			ticket, err := s.Sign(t.Context(), uploads.Request{}, user42)
			require.NoError(t, err)

			// The sender sends a picture, and then other content in its place.
			require.Less(t, postForm(t, ticket.Form, newPNG()), http.StatusMultipleChoices)
			replace = func() {
				require.Less(t, postForm(t, ticket.Form, tt.content), http.StatusMultipleChoices)
			}

			_, err = s.Finish(t.Context(), ticket.Token, user42)
			require.Equal(t, tt.wantCode, uploads.CodeOf(err), "%v", err)

			// No file was made.
			for _, key := range listKeys(t, bucket) {
				require.NotContains(t, key, "users/")
				require.NoError(t, bucket.Remove(t.Context(), key))
			}
		})
	}
}

// If a hook of the application refuses to let Finish read the file, Finish returns the hook's error. The file stays
// for a second Finish.
func TestFinishKeepsUnreadableFile(t *testing.T) {
	suspended := false
	bucket := openMemory(t, storage.WithHook(func(
		ctx context.Context, op storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if suspended && op.Name == "Download" {
			return ctx, nil, &uploads.Error{Code: "suspended", Message: "The account is suspended."}
		}
		return ctx, nil, nil
	}))
	s := newService(t, bucket, uploads.Config{Key: keyOfUser})
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(newPNG()))}, user42)
	require.NoError(t, err)

	// The file cannot be read at first.
	require.Equal(t, http.StatusOK, send(t, ticket, newPNG()))
	suspended = true
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.EqualValues(t, "suspended", uploads.CodeOf(err))

	// The second Finish can read it.
	suspended = false
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.NoError(t, err)
}

// After Finish has failed because of the store, a later Finish succeeds.
func TestFinishAfterStoreFails(t *testing.T) {
	failing := "" // name of the operation of the bucket that fails
	bucket := openMemory(t, storage.WithHook(func(
		ctx context.Context, op storage.Operation,
	) (context.Context, func(storage.Outcome), error) {
		if op.Name == failing {
			return ctx, nil, storage.Unavailable
		}
		return ctx, nil, nil
	}))

	s := newService(t, bucket, uploads.Config{Key: keyOfUser})
	content := newPNG()
	ticket, err := s.Sign(t.Context(), uploads.Request{Size: int64(len(content))}, user42)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, send(t, ticket, content))

	// Finish fails if any of the operations that it needs fails.
	for _, op := range []string{"Download", "Copy"} {
		failing = op
		_, err = s.Finish(t.Context(), ticket.Token, user42)
		require.Equal(t, uploads.StoreFailed, uploads.CodeOf(err), op)
	}

	// The store works again.
	failing = ""
	_, err = s.Finish(t.Context(), ticket.Token, user42)
	require.NoError(t, err)
}
