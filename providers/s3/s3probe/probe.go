// Package s3probe tests which conditions and features an S3 server really enforces,
// and makes an [s3.Profile] of the results.
//
//	report, err := s3probe.Run(ctx, config, "tmp/")
//	fmt.Println(report)
//	config.Profile = &report.Profile
//	bucket, err := s3.Open(ctx, config)
package s3probe

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"sync"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/s3"
)

const (
	maxAttempts  = 3
	attemptPause = 250 * time.Millisecond
	cleanTimeout = time.Minute

	maxPage      = 1000
	maxLeftPages = 100 // limit for cleaning up; a probe leaves less than one page of objects
)

// Run tests a server with about 1,500 small requests. It works in a folder of its own under prefix,
// in the bucket of c, and removes that folder at the end, with old versions.
//
// Run calls the driver directly, and tests features even if the profile of c lacks them. For each
// condition, it sends a request whose condition is false, which the server must refuse without a
// change of the object. Run also starts several concurrent writers, of which only one may succeed.
// Such a race can disprove a condition but never prove it, so the report says "not disproved".
//
// A profile can declare in its field Racy that a condition is not atomic. If the profile of c or
// the one that fits the responses of the server declares that, Run reports the condition as not
// enforced, without a test.
//
// Run does not change settings of the bucket. It takes CORS, lifecycle, policies, versions and
// ContentMD5 from the profile of c. It also takes the fields that are too expensive to test:
// EqualParts, limits, StorageClasses and Restore. It can test object lock only in a bucket that was
// made with object lock, and otherwise reports a profile without ObjectLock.
//
// Run fails only if the bucket cannot be written and read, or if ctx is done. Any other failure is
// in the report. If Run fails and cannot remove its folder, the error names the folder.
func Run(ctx context.Context, c s3.Config, prefix string) (report *Report, err error) {
	opened, err := s3.NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	d := opened.(s3Driver)
	defer d.Close()
	server, err := d.ServerURL(ctx)
	if err != nil {
		return nil, err
	}

	// The profile in the report begins as that of c, and the driver has a profile with all features.
	p := &probe{s3: d, prefix: prefix + "probe-" + rand.Text() + "/"}
	p.report = &Report{Bucket: d.Describe().Bucket, Server: server.String(), Profile: d.Profile()}
	p.report.Profile.Name += s3.ProbedSuffix
	p.setProfile(withAllFeatures(d.Profile()))
	defer func() {
		p.removeAll(ctx)
		if err != nil && p.report.Left != "" {
			err = fmt.Errorf("%w; not everything could be removed: see the objects under %q", err, p.report.Left)
		}
	}()
	if err := p.checkAccess(ctx); err != nil {
		return nil, err
	}

	// Two profiles may declare that a condition is not atomic: the profile of the Config, and the
	// profile that fits the server's responses.
	p.report.Answers = p.s3.AnswersAs()
	answeringProfile, _ := s3.NamedProfile(p.report.Answers)
	p.racy = union(p.profile.Racy, answeringProfile.Racy)
	p.report.Profile.Racy = p.racy

	// Each check decides one feature of the profile in the report.
	for _, featureCheck := range checks {
		verdict, detail := featureCheck.runUnlessRacy(ctx, p)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.report.Checks = append(p.report.Checks, Check{Name: featureCheck.name, Verdict: verdict, Detail: detail})
		featureCheck.set(&p.report.Profile, verdict == Enforced)
	}
	return p.report, nil
}

// s3Driver has the methods of the driver of package s3, whose type is not exported.
type s3Driver interface {
	driver.Driver
	Profile() s3.Profile
	WithProfile(s3.Profile) driver.Driver
	AnswersAs() string
	HTTPClient() awss3.HTTPClient
	ServerURL(context.Context) (*url.URL, error)
	URL(ctx context.Context, key string) (*url.URL, error)
}

// withAllFeatures returns a profile that declares every feature, so that the driver sends every
// kind of request.
func withAllFeatures(p s3.Profile) s3.Profile {
	p.Conditions = s3.Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true}
	// The probe tests how the server checks conditions. With RefusalAborts, the driver would check
	// them before the server does.
	p.RefusalAborts = false
	p.Copy = true
	p.CopyParts = true
	p.PinnedCopyParts = true
	p.ObjectACLs = true
	p.SignedForms = true
	p.Tags = true
	p.KMS = true
	p.CustomerKeys = true
	p.Checksum = s3.ChecksumFullObject
	p.TrailingChecksums = true
	if p.Batch == s3.BatchNone {
		p.Batch = s3.BatchMD5
	}
	return p
}

type probe struct {
	s3      s3Driver
	driver  driver.Driver // the driver of package s3, with retries of calls that fail temporarily
	profile s3.Profile    // the profile of the driver
	prefix  string
	racy    s3.Conditions // conditions that the profiles declare as not atomic
	report  *Report
	heldKey string   // key of an object under a legal hold
	uploads sync.Map // keys of unfinished uploads, by the id of the upload
}

// setProfile makes the driver of the probe use a profile, and repeat calls that fail because the
// server is busy.
func (p *probe) setProfile(profile s3.Profile) {
	p.profile = profile
	p.s3 = p.s3.WithProfile(profile).(s3Driver)
	p.driver = driver.Intercept(p.s3, func(ctx context.Context, call string, next func(context.Context) error) error {
		switch call {
		case "Put", "PutPart", "CompleteParts":
			// Such a call needs a new body or a new upload, so the probe itself repeats it.
			return next(ctx)
		default:
			return retry(ctx, func() error { return next(ctx) })
		}
	})
}

func (p *probe) setChecksum(style s3.ChecksumStyle) {
	p.profile.Checksum = style
	p.setProfile(p.profile)
}

// checkAccess checks that the bucket can be written and read. If the server refuses a checksum, the
// probe continues without checksums.
func (p *probe) checkAccess(ctx context.Context) error {
	const key, text = "first", "first"
	_, err := p.put(ctx, key, text, storage.Condition{})
	switch storage.CodeOf(err) {
	case storage.InvalidArgument, storage.Unsupported, storage.ChecksumMismatch:
		p.setChecksum(s3.ChecksumNone)
		_, err = p.put(ctx, key, text, storage.Condition{})
	}
	if err != nil {
		return err
	}

	got, err := p.read(ctx, key)
	if err != nil {
		return err
	}
	if got != text {
		return &storage.Error{Code: storage.Internal, Hint: "the server returned other content than was written"}
	}
	return nil
}

// union returns the conditions that a or b has.
func union(a, b s3.Conditions) s3.Conditions {
	return s3.Conditions{
		Create:   a.Create || b.Create,
		Update:   a.Update || b.Update,
		Complete: a.Complete || b.Complete,
		Copy:     a.Copy || b.Copy,
		Remove:   a.Remove || b.Remove,
	}
}

// retry repeats a call while the server is unavailable or limits the rate, with a longer pause each
// time. It returns the error of the last attempt.
func retry(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		code := storage.CodeOf(err)
		isBusy := code == storage.Unavailable || code == storage.RateLimited
		if !isBusy || attempt == maxAttempts {
			return err
		}
		if running.Sleep(ctx, time.Duration(attempt)*attemptPause) != nil {
			return err
		}
	}
}

// removeAll removes what Run wrote, even if ctx is done, and notes in the report if anything is
// left.
func (p *probe) removeAll(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTimeout)
	defer cancel()

	// Abort the uploads in progress. The map has the key of each upload's object.
	p.uploads.Range(func(upload, key any) bool {
		if p.driver.AbortParts(ctx, key.(string), upload.(string)) != nil {
			p.report.Left = p.prefix
		}
		return true // to the next upload
	})

	// The error is ignored: without object lock there is no legal hold to release.
	_ = p.releaseHold(ctx)

	// Remove the objects, and then their old versions.
	if err := cleanObjects(ctx, p.driver, p.prefix); err != nil {
		p.report.Left = p.prefix
		return
	}
	if err := cleanVersions(ctx, p.driver, p.prefix, p.profile.Versioning); err != nil {
		p.report.Left = p.prefix
	}
}

// cleanObjects removes all objects below prefix. It continues after a removal that fails, and
// returns the last error.
func cleanObjects(ctx context.Context, d driver.Driver, prefix string) error {
	var lastErr error
	token := ""
	for range maxLeftPages {
		page, err := d.List(ctx, &driver.ListRequest{Prefix: prefix, Limit: maxPage, Token: token})
		if err != nil {
			return err
		}
		for _, entry := range page.Entries {
			if err := d.Delete(ctx, &driver.DeleteRequest{Key: entry.Key}); err != nil {
				lastErr = err
			}
		}
		token = page.Token
		if token == "" {
			return lastErr
		}
	}
	return &storage.Error{Code: storage.Internal, Hint: "the server lists more objects than were written"}
}

// cleanVersions removes the old versions below prefix. Without versioning, a listing that fails
// only means that the server has none.
func cleanVersions(ctx context.Context, d driver.Driver, prefix string, versioning bool) error {
	for range maxLeftPages {
		page, err := d.ListVersions(ctx, &driver.ListRequest{Prefix: prefix, Limit: maxPage})
		if err != nil {
			if !versioning {
				return nil
			}
			return err
		}
		if len(page.Entries) == 0 {
			return nil
		}
		for _, entry := range page.Entries {
			if err := d.Delete(ctx, &driver.DeleteRequest{Key: entry.Key, Version: entry.Version}); err != nil {
				return err
			}
		}
	}
	return &storage.Error{Code: storage.Internal, Hint: "the server lists versions that were removed"}
}
