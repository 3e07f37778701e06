package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	gcs "cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"
	raw "google.golang.org/api/storage/v1"

	"github.com/omnibucket/storage"
)

var gcsQuestions = []question{
	{
		id:       "gcs-public-cache",
		provider: "gcs",
		account:  "public",
		text:     "After an overwrite of a public object, does `Download` read the new one?",
		does:     "reads are made so that no cache may answer them",
		cost:     "12 requests",
		answers:  []string{"yes", "no"},
		probe:    probePublicCache,
	}, {
		id:       "gcs-conditional-read",
		provider: "gcs",
		account:  "public",
		text:     "Is a conditional read of a public object answered by the cache, and with which status?",
		does:     "no response that a cache may have sent is used, a refusal neither",
		cost:     "10 requests",
		answers:  []string{"yes", "no"},
		probe:    probeConditionalRead,
	}, {
		id:       "gcs-hold-left-out",
		provider: "gcs",
		account:  "retention with default hold (the program makes the bucket)",
		text:     "Does an upload with `eventBasedHold: false` leave out the bucket's default hold in the JSON API, as Google's storage.proto says?",
		does:     "it is sent for parts; a hold that is there all the same ends before the part is removed",
		cost:     "8 requests",
		answers:  []string{"yes", "no"},
		probe:    probeHoldLeftOut,
	}, {
		id:       "gcs-folders",
		provider: "gcs",
		account:  "hierarchical (the program makes the bucket)",
		text:     "Does an open upload leave folders in a bucket with a hierarchical namespace?",
		does:     "the folder of an upload is removed, and `.omnibucket./parts/` stays",
		cost:     "15 requests",
		answers:  []string{"yes", "no"},
		probe:    probeFolders,
	}, {
		id:       "gcs-empty-folders",
		provider: "gcs",
		account:  "hierarchical (the program makes the bucket)",
		text:     "Can a bucket with a hierarchical namespace be deleted while it has empty folders?",
		does:     "the hint of `BucketNotEmpty` names them",
		cost:     "4 requests",
		answers:  []string{"yes", "no"},
		probe:    probeEmptyFolder,
	}, {
		id:       "gcs-idempotency-token",
		provider: "gcs",
		account:  "plain",
		text:     "Which repeated changes succeed once if they have an idempotency token?",
		does:     "it is sent, and no outcome rests on it",
		cost:     "4 requests",
		answers:  []string{"both", "insertions", "removals", "neither"},
		probe:    probeToken,
	}, {
		id:       "gcs-default-hold",
		provider: "gcs",
		account:  "retention with default hold (the program makes the bucket)",
		text:     "With a default event-based hold, does an open upload end when it is completed?",
		does:     "a part whose upload was completed is `ObjectNotFound`",
		cost:     "15 requests",
		answers:  []string{"yes", "no"},
		probe:    probeDefaultHold,
	}, {
		id:       "gcs-retention-policy",
		provider: "gcs",
		account:  "with a retention policy (the program makes the bucket)",
		text:     "Is `BeginUpload` refused in a bucket with a retention policy?",
		does:     "the response to the marker says until when it is kept: `BeginUpload` is Unsupported",
		cost:     "10 requests",
		answers:  []string{"yes", "no"},
		probe:    probeRetentionPolicy,
	},
}

// A cachedObject is a public object whose old bytes Google's cache may have.
type cachedObject struct {
	bucket        storage.Bucket
	address       string
	oldGeneration string
	newGeneration string
}

// newCachedObject creates a public object, reads it so that Google's caches have it, and overwrites it.
func (p *probe) newCachedObject(ctx context.Context) (*cachedObject, error) {
	_, err := p.newBucket(ctx, storage.WithPublicAccess(true))
	if storage.CodeOf(err) == storage.PermissionDenied {
		return nil, notApplicable("the account makes no bucket public")
	}
	if err != nil {
		return nil, err
	}

	o := &cachedObject{}
	if o.bucket, err = p.open(p.name(), storage.WithPublicAccess(true)); err != nil {
		return nil, err
	}
	oldAttrs, err := o.bucket.Upload(ctx, "a", strings.NewReader("old"))
	if err != nil {
		return nil, err
	}
	if o.address, err = o.bucket.PublicURL("a"); err != nil {
		return nil, err
	}

	if err := p.fillCaches(ctx, o.address); err != nil {
		return nil, err
	}
	newAttrs, err := o.bucket.Upload(ctx, "a", strings.NewReader("new"))
	if err != nil {
		return nil, err
	}

	// The generation is the part of a revision after the colon.
	_, o.oldGeneration, _ = strings.Cut(oldAttrs.Revision, ":")
	_, o.newGeneration, _ = strings.Cut(newAttrs.Revision, ":")
	return o, nil
}

// fillCaches reads a public object several times, to reach several of the caches.
func (p *probe) fillCaches(ctx context.Context, address string) error {
	const reads = 3
	for range reads {
		status, _, err := p.get(ctx, http.MethodGet, address, nil, "")
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			return notApplicable("the object is not public: " + http.StatusText(status))
		}
	}
	return nil
}

// probePublicCache tests whether a read with credentials returns the new bytes of an overwritten public
// object. Its detail tells which reads without credentials return old bytes from Google's cache.
func probePublicCache(ctx context.Context, p *probe) (string, error) {
	o, err := p.newCachedObject(ctx)
	if err != nil {
		return "", err
	}

	// Read without credentials in three ways, for which caches may have different answers.
	reads := []struct {
		name    string
		address string
		header  http.Header
	}{
		{name: "plain", address: o.address},
		{name: "no-store", address: o.address, header: http.Header{"Cache-Control": {"no-store"}}},
		{name: "generation", address: o.address + "?generation=" + url.QueryEscape(o.newGeneration)},
	}
	var results []string
	for _, read := range reads {
		_, text, err := p.get(ctx, http.MethodGet, read.address, read.header, "")
		if err != nil {
			return "", err
		}
		results = append(results, read.name+": "+text)
	}
	p.setDetail("without credentials, %s", strings.Join(results, ", "))

	// The question itself is about a read with credentials.
	text, _, err := storage.ReadAll(ctx, o.bucket, "a")
	if err != nil {
		return "", err
	}
	if string(text) == "new" {
		return "yes", nil
	}
	return "no", nil
}

// probeConditionalRead tests whether Google's cache ignores a condition of a read. It reads an overwritten
// object on the condition that the old generation is current.
func probeConditionalRead(ctx context.Context, p *probe) (string, error) {
	o, err := p.newCachedObject(ctx)
	if err != nil {
		return "", err
	}

	condition := http.Header{"X-Goog-If-Generation-Match": {o.oldGeneration}}
	status, _, err := p.get(ctx, http.MethodGet, o.address, condition, "")
	if err != nil {
		return "", err
	}
	p.setDetail("status %d", status)
	if status == http.StatusPreconditionFailed {
		return "no", nil
	}
	return "yes", nil
}

// googleClient returns a client of the JSON API, and the project of the address. For an emulator, or
// without a project, the error has the type notApplicable.
func (p *probe) googleClient(ctx context.Context) (*raw.Service, string, error) {
	address, err := url.Parse(p.c.address)
	if err != nil {
		return nil, "", err
	}

	isEmulator := address.Query().Has("endpoint") || os.Getenv("STORAGE_EMULATOR_HOST") != ""
	project := cmp.Or(address.Query().Get("project"), os.Getenv("GOOGLE_CLOUD_PROJECT"))
	if isEmulator || project == "" {
		return nil, "", notApplicable("it needs Google itself, and gs://?project=")
	}

	service, err := raw.NewService(ctx)
	return service, project, err
}

// newHierarchicalBucket creates a bucket with a hierarchical namespace, which has folders. It returns a
// client of the JSON API and the name of the bucket.
func (p *probe) newHierarchicalBucket(ctx context.Context) (*raw.Service, string, error) {
	service, project, err := p.googleClient(ctx)
	if err != nil {
		return nil, "", err
	}

	// Record the name first, because the bucket may exist even if the response is lost.
	name := p.newName()
	p.c.ledger.add(name)
	p.buckets = append(p.buckets, name)
	_, err = service.Buckets.Insert(project, &raw.Bucket{
		Name:                  name,
		HierarchicalNamespace: &raw.BucketHierarchicalNamespace{Enabled: true},
		IamConfiguration: &raw.BucketIamConfiguration{
			UniformBucketLevelAccess: &raw.BucketIamConfigurationUniformBucketLevelAccess{Enabled: true},
		},
	}).Context(ctx).Do()
	if err != nil {
		return nil, "", err
	}
	p.cleanups = append(p.cleanups, func(ctx context.Context) error { return removeFolders(ctx, service, name) })
	return service, name, nil
}

// probeFolders tests whether an open upload leaves folders in a hierarchical bucket.
func probeFolders(ctx context.Context, p *probe) (string, error) {
	service, name, err := p.newHierarchicalBucket(ctx)
	if err != nil {
		return "", err
	}
	b, err := p.open(name)
	if err != nil {
		return "", err
	}
	if _, err := uploadOnePart(ctx, b); err != nil {
		return "", err
	}
	folders, err := service.Folders.List(name).Context(ctx).Do()
	if err != nil {
		return "", err
	}
	if len(folders.Items) > 0 {
		p.setDetail("%d folders", len(folders.Items))
		return "yes", nil
	}
	return "no", nil
}

// probeEmptyFolder tests whether a hierarchical bucket can be deleted while it has an empty folder.
func probeEmptyFolder(ctx context.Context, p *probe) (string, error) {
	service, name, err := p.newHierarchicalBucket(ctx)
	if err != nil {
		return "", err
	}
	if _, err := service.Folders.Insert(name, &raw.Folder{Name: "empty/"}).Context(ctx).Do(); err != nil {
		return "", err
	}

	err = service.Buckets.Delete(name).Context(ctx).Do()
	if err == nil {
		return "yes", nil
	}
	if apiErr, ok := errors.AsType[*googleapi.Error](err); ok {
		p.setDetail("status %d", apiErr.Code)
		return "no", nil
	}
	return "", err
}

// probeToken tests which requests succeed a second time with the same idempotency token: those that insert
// an object, those that remove one, or both.
func probeToken(ctx context.Context, p *probe) (string, error) {
	service, _, err := p.googleClient(ctx)
	if err != nil {
		return "", err
	}
	if _, err := p.newBucket(ctx); err != nil {
		return "", err
	}

	const header = "X-Goog-Gcs-Idempotency-Token"
	// With IfGenerationMatch(0), the second insertion can succeed only because of the token.
	inserts, err := succeedsTwice(func(token string) error {
		call := service.Objects.Insert(p.name(), &raw.Object{Name: "a"}).
			IfGenerationMatch(0).Media(strings.NewReader("text")).Context(ctx)
		call.Header().Set(header, token)
		_, err := call.Do()
		return err
	})
	if err != nil {
		return "", err
	}

	// The second removal of the same object can succeed only because of the token.
	deletes, err := succeedsTwice(func(token string) error {
		call := service.Objects.Delete(p.name(), "a").Context(ctx)
		call.Header().Set(header, token)
		return call.Do()
	})
	if err != nil {
		return "", err
	}

	if inserts && deletes {
		return "both", nil
	}
	if inserts {
		return "insertions", nil
	}
	if deletes {
		return "removals", nil
	}
	return "neither", nil
}

// succeedsTwice calls do twice with the same token, and reports whether the second call succeeds too. If
// the API refuses only the second call, it returns false without an error.
func succeedsTwice(do func(token string) error) (bool, error) {
	token := rand.Text()
	if err := do(token); err != nil {
		return false, err
	}

	err := do(token)
	if _, isRefused := errors.AsType[*googleapi.Error](err); isRefused {
		return false, nil
	}
	return err == nil, err
}

// removeFolders removes the folders of a bucket, if it still exists, the deepest first.
func removeFolders(ctx context.Context, service *raw.Service, bucket string) error {
	folders, err := service.Folders.List(bucket).Context(ctx).Do()
	if apiErr, ok := errors.AsType[*googleapi.Error](err); ok && apiErr.Code == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}

	slices.SortFunc(folders.Items, func(a, b *raw.Folder) int { return cmp.Compare(len(b.Name), len(a.Name)) })
	var failures []error
	for _, folder := range folders.Items {
		failures = append(failures, service.Folders.Delete(bucket, folder.Name).Context(ctx).Do())
	}
	return errors.Join(failures...)
}

// uploadOnePart makes a multipart upload of one part, completes it and returns it.
func uploadOnePart(ctx context.Context, b storage.Bucket) (storage.MultipartUpload, error) {
	upload, err := storage.BeginUpload(ctx, b, "a")
	if err != nil {
		return nil, err
	}
	if _, err := upload.PutPart(ctx, 1, strings.NewReader("text")); err != nil {
		return nil, err
	}
	if _, err := upload.Complete(ctx); err != nil {
		return nil, err
	}
	return upload, nil
}

// newHeldBucket creates a bucket that sets an event-based hold on every new object. If the server has
// no such buckets, the error has the type notApplicable.
func (p *probe) newHeldBucket(ctx context.Context) (storage.Bucket, error) {
	b, err := p.newBucket(ctx)
	if err != nil {
		return nil, err
	}
	client, err := clientOf[*gcs.Client](b)
	if err != nil {
		return nil, err
	}

	bucket := client.Bucket(p.name())
	if _, err := bucket.Update(ctx, gcs.BucketAttrsToUpdate{DefaultEventBasedHold: true}); err != nil {
		return nil, err
	}
	// A held object cannot be removed, so the clean-up begins with the holds.
	p.cleanups = append(p.cleanups, func(ctx context.Context) error { return releaseHolds(ctx, bucket) })

	attrs, err := bucket.Attrs(ctx)
	if err != nil {
		return nil, err
	}
	if !attrs.DefaultEventBasedHold {
		return nil, notApplicable("the server has no default holds")
	}
	return b, nil
}

// probeDefaultHold tests whether a completed upload refuses further parts in a bucket with a default hold.
func probeDefaultHold(ctx context.Context, p *probe) (string, error) {
	b, err := p.newHeldBucket(ctx)
	if err != nil {
		return "", err
	}
	u, err := uploadOnePart(ctx, b)
	if err != nil {
		return "", err
	}
	_, err = u.PutPart(ctx, 2, strings.NewReader("late"))
	return refusalAnswer(err, storage.ObjectNotFound)
}

// probeHoldLeftOut tests whether an upload can leave out the default hold of its bucket.
func probeHoldLeftOut(ctx context.Context, p *probe) (string, error) {
	service, _, err := p.googleClient(ctx)
	if err != nil {
		return "", err
	}
	if _, err := p.newHeldBucket(ctx); err != nil {
		return "", err
	}

	// Without ForceSendFields, the client would not send a field that is false.
	attrs := &raw.Object{Name: "a", ForceSendFields: []string{"EventBasedHold"}}
	object, err := service.Objects.Insert(p.name(), attrs).Media(strings.NewReader("text")).Context(ctx).Do()
	if err != nil {
		return "", err
	}
	if object.EventBasedHold {
		return "no", nil
	}
	return "yes", nil
}

// probeRetentionPolicy tests whether a bucket with a retention policy refuses BeginUpload.
func probeRetentionPolicy(ctx context.Context, p *probe) (string, error) {
	b, client, err := bucketWithClient[*gcs.Client](ctx, p)
	if err != nil {
		return "", err
	}
	bucket := client.Bucket(p.name())
	if err := setRetentionPeriod(ctx, bucket, time.Minute); err != nil {
		return "", err
	}
	p.cleanups = append(p.cleanups, func(ctx context.Context) error { return setRetentionPeriod(ctx, bucket, 0) })

	attrs, err := bucket.Attrs(ctx)
	if err != nil {
		return "", err
	}
	if attrs.RetentionPolicy == nil {
		return "", notApplicable("the server has no retention policies")
	}
	_, err = storage.BeginUpload(ctx, b, "a")
	return refusalAnswer(err, storage.Unsupported)
}

// setRetentionPeriod sets the retention policy of a bucket, or removes it if period is 0.
func setRetentionPeriod(ctx context.Context, bucket *gcs.BucketHandle, period time.Duration) error {
	_, err := bucket.Update(ctx, gcs.BucketAttrsToUpdate{
		RetentionPolicy: &gcs.RetentionPolicy{RetentionPeriod: period},
	})
	return err
}

// refusalAnswer returns the answer "yes" if err has the code, and "no" if err is nil. It returns any
// other err as an error.
func refusalAnswer(err error, code storage.Code) (string, error) {
	if err == nil {
		return "no", nil
	}
	if storage.CodeOf(err) == code {
		return "yes", nil
	}
	return "", err
}

// releaseHolds ends the holds of all objects in a bucket.
func releaseHolds(ctx context.Context, bucket *gcs.BucketHandle) error {
	var failures []error
	objects := bucket.Objects(ctx, nil)
	for {
		attrs, err := objects.Next()
		if errors.Is(err, iterator.Done) {
			return errors.Join(failures...)
		}
		if err != nil {
			return err
		}

		if !attrs.EventBasedHold {
			continue
		}
		_, err = bucket.Object(attrs.Name).Update(ctx, gcs.ObjectAttrsToUpdate{EventBasedHold: false})
		failures = append(failures, err)
	}
}
