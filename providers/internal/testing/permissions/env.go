package permissions

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage"
)

// An env has what the functions of a step need, and what the setup leaves for the operation.
type env struct {
	t        *testing.T
	account  Account
	service  storage.Service
	opts     []storage.OpenOption // options with which the bucket was opened
	bucket   storage.Bucket
	progress string // path of the file for WithResume
	version  string // version or revision of the object that the setup has stored
	token    string // token of the multipart upload that the setup has begun
	settings any    // settings that the operation has read; without permission, some are missing
}

func (e *env) ctx() context.Context { return e.t.Context() }

// open opens the account's bucket with these options, and keeps them for the next opening.
func (e *env) open(opts ...storage.OpenOption) {
	b, err := e.service.Bucket(e.account.Bucket, opts...)
	require.NoError(e.t, err)
	if e.account.Prefix != "" {
		b = storage.Prefixed(b, e.account.Prefix)
	}
	e.bucket = b
	e.opts = opts
}

const (
	partSize  = 5 << 20 // bytes; the smallest part that Amazon S3 accepts
	largeSize = 6 << 20 // bytes of a body that is sent in two parts
)

// large returns a body that is sent in two parts.
func large() io.Reader { return io.MultiReader(bytes.NewReader(make([]byte, largeSize))) }

// upload returns a step that stores the object "a" by one request.
func upload(opts ...storage.UploadOption) func(*env) error {
	return func(e *env) error {
		_, err := e.bucket.Upload(e.ctx(), "a", strings.NewReader("text"), opts...)
		return err
	}
}

// uploadParts returns a step that stores the object "a" in several parts.
func uploadParts(opts ...storage.UploadOption) func(*env) error {
	return func(e *env) error {
		_, err := e.bucket.Upload(e.ctx(), "a", large(), append(opts, storage.WithPartSize(partSize))...)
		return err
	}
}

// uploadEncrypted stores the object "a", encrypted with a KMS key of the provider.
func uploadEncrypted(e *env) error { return upload(e.account.Key)(e) }

// failParts begins a multipart upload of "a" whose body fails after the first part. It returns an error
// if the upload does not fail so.
func failParts(e *env) error {
	bodyErr := errors.New("broken")
	body := &failingBody{
		Reader: bytes.NewReader(make([]byte, 2*largeSize)),
		end:    largeSize,
		err:    bodyErr,
	}
	return e.halfUpload(e.ctx(), bodyErr, body)
}

// halfUpload begins a multipart upload of "a" that must fail with wantErr after some parts. It returns an error if the
// upload succeeds or fails with another one.
func (e *env) halfUpload(ctx context.Context, wantErr error, body io.Reader, opts ...storage.UploadOption) error {
	opts = append(opts, storage.WithPartSize(partSize), storage.WithConcurrency(1))
	_, err := e.bucket.Upload(ctx, "a", body, opts...)
	if errors.Is(err, wantErr) {
		return nil
	}
	return errors.Join(fmt.Errorf("the upload must fail with %w", wantErr), err)
}

// loseResponse creates "a" with IfAbsent, and loses the response.
func loseResponse(e *env) error {
	e.account.Recorder.Lose()
	return upload(storage.IfAbsent())(e)
}

// interrupt begins an upload of "a" with WithResume, and cancels it after its first part. The progress
// is kept in the file e.progress, with which another upload can resume this one.
func interrupt(e *env) error {
	e.progress = filepath.Join(e.t.TempDir(), "progress")
	ctx, cancel := context.WithCancel(e.ctx())
	defer cancel()
	cancelAfterFirstPart := storage.WithProgress(func(done, _ int64) {
		if done > partSize {
			cancel()
		}
	})
	body := bytes.NewReader(make([]byte, 2*largeSize))
	return e.halfUpload(ctx, storage.Canceled, body, cancelAfterFirstPart, storage.WithResume(e.progress))
}

// A failingBody is a body that Upload reads in place, and whose second half cannot be read.
type failingBody struct {
	*bytes.Reader
	end int64
	err error
}

// ReadAt reads bytes before b.end, and fails with b.err if it would need others.
func (b *failingBody) ReadAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > b.end {
		return 0, b.err
	}
	return b.Reader.ReadAt(p, off)
}

// resume continues the upload that the function interrupt has canceled.
func resume(e *env) error {
	body := bytes.NewReader(make([]byte, 2*largeSize))
	_, err := e.bucket.Upload(e.ctx(), "a", body,
		storage.WithPartSize(partSize),
		storage.WithConcurrency(1),
		storage.WithResume(e.progress))
	return err
}

// read returns a step that calls ReadAll, Attrs and Exists for the object "a".
func read(opts ...storage.ReadOption) func(*env) error {
	return func(e *env) error {
		var downloadOpts []storage.DownloadOption
		var attrsOpts []storage.AttrsOption
		for _, opt := range opts {
			downloadOpts = append(downloadOpts, opt)
			attrsOpts = append(attrsOpts, opt)
		}

		_, _, readErr := storage.ReadAll(e.ctx(), e.bucket, "a", downloadOpts...)
		attrs, attrsErr := e.bucket.Attrs(e.ctx(), "a", attrsOpts...)
		if attrsErr == nil {
			e.settings = []any{attrs.Retention.Mode, attrs.LegalHold}
		}
		_, existsErr := e.bucket.Exists(e.ctx(), "a", attrsOpts...)
		return errors.Join(readErr, attrsErr, existsErr)
	}
}

// readVersion reads the version of "a" that the setup has stored, and its attributes.
func readVersion(e *env) error {
	_, _, err := storage.ReadAll(e.ctx(), e.bucket, "a", storage.WithVersion(e.version))
	_, attrsErr := e.bucket.Attrs(e.ctx(), "a", storage.WithVersion(e.version))
	return errors.Join(err, attrsErr)
}

// readMissing calls Exists for an object that does not exist, and fails if the result is true.
func readMissing(e *env) error {
	exists, err := e.bucket.Exists(e.ctx(), "missing")
	if err != nil {
		return err
	}
	if exists {
		return errors.New("it must not exist")
	}
	return nil
}

// list lists the first page of the bucket.
func list(e *env) error {
	_, err := storage.ListPage(e.ctx(), e.bucket, "")
	return err
}

// versions lists all versions in the bucket.
func versions(e *env) error {
	for _, err := range storage.Versions(e.ctx(), e.bucket) {
		if err != nil {
			return err
		}
	}
	return nil
}

// twoVersions returns a step that stores "a" twice in a bucket that keeps versions, and sets e.version
// to the first version.
func twoVersions(opts ...storage.UploadOption) func(*env) error {
	return func(e *env) error {
		e.open(storage.WithVersioning(true))
		attrs, err := e.bucket.Upload(e.ctx(), "a", strings.NewReader("old"), opts...)
		if err != nil {
			return err
		}
		e.version = attrs.Version
		return upload()(e)
	}
}

// remove returns a function that removes the object "a".
func remove(opts ...storage.RemoveOption) func(*env) error {
	return func(e *env) error { return e.bucket.Remove(e.ctx(), "a", opts...) }
}

// removeVersion returns a function that removes the version of "a" that the setup has stored.
func removeVersion(opts ...storage.RemoveOption) func(*env) error {
	return func(e *env) error {
		return e.bucket.Remove(e.ctx(), "a", append(opts, storage.WithVersion(e.version))...)
	}
}

// ifRevision returns a function that calls makeStep with the revision in e.version, and then runs
// the resulting step. The setup must have set e.version to a revision.
func ifRevision(makeStep func(revision string) func(*env) error) func(*env) error {
	return func(e *env) error { return makeStep(e.version)(e) }
}

// aRevision stores "a", and keeps its revision in e.version.
func aRevision(e *env) error {
	attrs, err := e.bucket.Upload(e.ctx(), "a", strings.NewReader("text"))
	if err != nil {
		return err
	}
	e.version = attrs.Revision
	return nil
}

// removeSeveral removes "a", and "b", which does not exist.
func removeSeveral(e *env) error {
	_, err := storage.RemoveAll(e.ctx(), e.bucket, slices.Values([]string{"a", "b"}))
	return err
}

// copyTo returns a step that copies "a" to "b" in the same bucket.
func copyTo(opts ...storage.CopyOption) func(*env) error {
	return func(e *env) error {
		_, err := storage.Copy(e.ctx(), e.bucket, "b", e.bucket, "a", opts...)
		return err
	}
}

func move(e *env) error {
	_, err := storage.Move(e.ctx(), e.bucket, "a", "b")
	return err
}

func compose(e *env) error {
	_, err := storage.Compose(e.ctx(), e.bucket, "c", []string{"a", "a"})
	return err
}

func appendTo(e *env) error {
	_, err := storage.Append(e.ctx(), e.bucket, "a", []byte("x"))
	return err
}

// update appends a byte to "a" with storage.Update.
func update(e *env) error {
	_, err := storage.Update(e.ctx(), e.bucket, "a", func(old []byte, _ *storage.Attrs) ([]byte, error) {
		return append(old, 'x'), nil
	})
	return err
}

// beginUpload begins a multipart upload of "a", and stores one part.
func beginUpload(e *env) error {
	upload, err := storage.BeginUpload(e.ctx(), e.bucket, "a")
	if err != nil {
		return err
	}
	e.token = upload.Token()
	_, err = upload.PutPart(e.ctx(), 1, strings.NewReader("text"))
	return err
}

// openUpload begins a multipart upload of "a", stores one part, and completes the upload.
func openUpload(e *env) error {
	if err := beginUpload(e); err != nil {
		return err
	}
	upload, err := storage.ContinueUpload(e.ctx(), e.bucket, e.token)
	if err != nil {
		return err
	}
	_, err = upload.Complete(e.ctx())
	return err
}

// abortUpload aborts the upload that the setup has begun.
func abortUpload(e *env) error {
	upload, err := storage.ContinueUpload(e.ctx(), e.bucket, e.token)
	if err != nil {
		return err
	}
	return upload.Abort(e.ctx())
}

// listUploads lists all uploads in progress.
func listUploads(e *env) error {
	for _, err := range storage.ListUploads(e.ctx(), e.bucket) {
		if err != nil {
			return err
		}
	}
	return nil
}

// tags returns a step that reads the tags of "a".
func tags(opts ...storage.AttrsOption) func(*env) error {
	return func(e *env) error {
		_, err := storage.Tags(e.ctx(), e.bucket, "a", opts...)
		return err
	}
}

func setTags(tags map[string]string) func(*env) error {
	return func(e *env) error { return storage.SetTags(e.ctx(), e.bucket, "a", tags) }
}

func setRetention(r storage.Retention, opts ...storage.RetentionOption) func(*env) error {
	return func(e *env) error { return storage.SetRetention(e.ctx(), e.bucket, "a", r, opts...) }
}

func setLegalHold(e *env) error { return storage.SetLegalHold(e.ctx(), e.bucket, "a", true) }

// archive stores "a" in a storage class whose objects must be restored before they can be read.
func archive(e *env) error {
	if e.account.Archive == "" {
		return upload()(e)
	}
	return upload(storage.WithStorageClass(e.account.Archive))(e)
}

func restore(e *env) error { return storage.Restore(e.ctx(), e.bucket, "a") }

func signRemoval(e *env) error {
	_, err := storage.SignedRemoveURL(e.ctx(), e.bucket, "a")
	return err
}

func signDownload(e *env) error {
	_, err := e.bucket.SignedDownloadURL(e.ctx(), "a")
	return err
}

func signUpload(e *env) error {
	_, err := e.bucket.SignedUploadURL(e.ctx(), "a")
	return err
}

// buckets lists the buckets of the account.
func buckets(e *env) error {
	for _, err := range e.service.Buckets(e.ctx()) {
		if err != nil {
			return err
		}
	}
	return nil
}

func bucketInfo(e *env) error {
	info, err := e.service.BucketInfo(e.ctx(), e.account.Bucket)
	e.saveSettings(info)
	return err
}

// saveSettings keeps the settings of a bucket in e.saw, to compare them later.
func (e *env) saveSettings(info *storage.BucketInfo) {
	if info != nil {
		e.settings = []any{info.Public, info.Versioning, info.CORS, info.Lifecycle, info.ObjectLock}
	}
}

// createBucket returns a step that creates a bucket.
func createBucket(opts ...storage.BucketOption) func(*env) error {
	return func(e *env) error {
		_, err := e.service.CreateBucket(e.ctx(), cmp.Or(e.account.NewBucket, "another-bucket"), opts...)
		return err
	}
}

// updateBucket returns a step that changes the settings of the bucket.
func updateBucket(opts ...storage.BucketOption) func(*env) error {
	return func(e *env) error {
		info, err := e.service.UpdateBucket(e.ctx(), e.account.Bucket, opts...)
		e.saveSettings(info)
		return err
	}
}

// makePublic makes the bucket public. An operation that reads the settings of a public bucket needs
// more permissions.
func makePublic(e *env) error { return updateBucket(storage.WithPublicAccess(true))(e) }

func deleteBucket(e *env) error { return e.service.DeleteBucket(e.ctx(), e.account.Bucket) }

// joinSteps returns a step that performs several steps, one after the other, until one fails.
func joinSteps(steps ...func(*env) error) func(*env) error {
	return func(e *env) error {
		for _, step := range steps {
			if err := step(e); err != nil {
				return err
			}
		}
		return nil
	}
}
