package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/ctxtime"
)

const (
	probeAttempts = 3
	probePause    = 250 * time.Millisecond
	cleanTime     = time.Minute

	maxVersionPages = 10 // of what a probing leaves: it fits one
)

// Probe finds out what a server really enforces, by some 1,500 small requests
// in the bucket of c under prefix, where it makes a folder of its own and
// removes it again, old versions too. It asks below the core, and trusts no
// profile: each condition is sent and must be refused, what it guards must
// still be there, and of several writers at once one may win. A race can disprove
// a condition and never prove it: the report says "not disproved", and conditions
// that c's Profile, or that of the server's own name, has as Racy are not declared
// whatever a race would show. The bucket's own settings are left alone, so what
// they can do (CORS, lifecycle, policies, versions) and what costs much to try
// (equal parts, limits, storage classes) stays in Report.Profile as c has it.
//
//	report, err := s3.Probe(ctx, config, "tmp/")
//	fmt.Println(report)
//	config.Profile = &report.Profile
//	bucket, err := s3.Open(ctx, config)
//
// The error is that of a bucket that cannot be probed: nothing can be written
// there and read back, or ctx was done. A check that goes wrong otherwise is in
// the report, as not proven.
func Probe(ctx context.Context, c Config, prefix string) (*Report, error) {
	opened, err := NewDriver(ctx, c)
	if err != nil {
		return nil, err
	}
	d := opened.(*driver)
	defer func() { _ = d.Close() }()
	own := prefix + "probe-" + rand.Text() + "/"
	p := &probe{driver: boldly(d), prefix: own, client: d.client.Options().HTTPClient}
	address, err := d.addressOf(ctx, "", "")
	if err != nil {
		return nil, err
	}
	p.report = &Report{Bucket: d.bucket, Server: address.String(), Profile: probed(d.profile)}
	defer p.clean(ctx)
	if err := p.begin(ctx); err != nil {
		return nil, err
	}
	p.racy = p.knownRaces(ctx)
	p.report.Profile.Racy = p.racy
	for _, c := range checks {
		verdict, detail := c.ask(ctx, p)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		p.report.Checks = append(p.report.Checks, Check{Name: c.name, Verdict: verdict, Detail: detail})
		c.set(&p.report.Profile, verdict == Enforced)
	}
	return p.report, nil
}

// probedSuffix ends the name of a profile that Probe made.
const probedSuffix = " (probed)"

// probed is the profile before anything was proven.
func probed(p Profile) Profile {
	p.Name += probedSuffix
	return p
}

// boldly is the driver that sends whatever it is asked for, as if its server
// could do everything.
func boldly(d *driver) *driver {
	bold := *d.account
	bold.profile.Conditions = Conditions{Create: true, Update: true, Complete: true, Copy: true, Remove: true}
	bold.profile.Copy, bold.profile.CopyParts, bold.profile.ObjectACL, bold.profile.SignForms = true, true, true, true
	bold.profile.Checksum = ChecksumFullObject
	if bold.profile.Batch == BatchNone {
		bold.profile.Batch = BatchMD5
	}
	return &driver{account: &bold, bucket: d.bucket}
}

// probe is one probing on its way.
type probe struct {
	*driver
	prefix string
	racy   Conditions       // known not to be atomic
	client awss3.HTTPClient // for what is signed: the SDK's own
	report *Report

	mu      sync.Mutex
	uploads map[string]string // begun and not known to be over: upload, key
}

// begin proves that the bucket can be written and read at all: without a
// checksum where the server refuses one.
func (p *probe) begin(ctx context.Context) error {
	_, err := p.put(ctx, "first", "first", storage.Condition{})
	switch storage.CodeOf(err) {
	case storage.InvalidArgument, storage.Unsupported, storage.ChecksumMismatch:
		p.profile.Checksum = ChecksumNone
		_, err = p.put(ctx, "first", "first", storage.Condition{})
	}
	if err != nil {
		return err
	}
	text, err := p.text(ctx, "first")
	if err == nil && text != "first" {
		err = &storage.Error{Code: storage.Internal, Hint: "what was written is not what was read"}
	}
	return err
}

// knownRaces returns the conditions that the profile, or that of the name by which
// the server calls itself, knows not to be atomic.
func (p *probe) knownRaces(ctx context.Context) Conditions {
	races := p.profile.Racy
	address, err := p.bucketAddress(ctx, "")
	if err != nil {
		return races
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodHead, address.String(), nil)
	if err != nil {
		return races
	}
	answer, err := p.client.Do(r)
	if err != nil {
		return races
	}
	_ = answer.Body.Close()
	server := strings.ToLower(answer.Header.Get("Server"))
	for _, known := range profiles {
		if strings.HasPrefix(server, known.Name) {
			return races.or(known.Racy)
		}
	}
	return races
}

// try makes a call again where it failed for a passing reason.
func (p *probe) try(ctx context.Context, call func() error) error {
	for attempt := 1; ; attempt++ {
		err := call()
		code := storage.CodeOf(err)
		if code != storage.Unavailable && code != storage.RateLimited || attempt == probeAttempts {
			return err
		}
		if ctxtime.Sleep(ctx, time.Duration(attempt)*probePause) != nil {
			return err
		}
	}
}

func (p *probe) put(ctx context.Context, key, text string, condition storage.Condition) (*storage.Attrs, error) {
	return p.putRequest(ctx, p.request(key, text, condition))
}

func (p *probe) request(key, text string, condition storage.Condition) *storage.PutRequest {
	sum := crc32.Checksum([]byte(text), crc32.MakeTable(crc32.Castagnoli))
	return &storage.PutRequest{
		Key: p.prefix + key, Body: strings.NewReader(text), Size: int64(len(text)),
		Properties: storage.Properties{ContentType: "text/plain"}, Condition: condition, CRC32C: &sum,
	}
}

func (p *probe) putRequest(ctx context.Context, r *storage.PutRequest) (attrs *storage.Attrs, err error) {
	err = p.try(ctx, func() error {
		_, _ = r.Body.(io.Seeker).Seek(0, io.SeekStart)
		attrs, err = p.driver.Put(ctx, r)
		return err
	})
	return attrs, err
}

func (p *probe) head(ctx context.Context, key string) (attrs *storage.Attrs, err error) {
	err = p.try(ctx, func() error {
		attrs, err = p.driver.Head(ctx, &storage.GetRequest{Key: p.prefix + key, Length: -1})
		return err
	})
	return attrs, err
}

// text is what the key holds.
func (p *probe) text(ctx context.Context, key string) (text string, err error) {
	err = p.try(ctx, func() error {
		_, body, err := p.driver.Get(ctx, &storage.GetRequest{Key: p.prefix + key, Length: -1})
		if err != nil {
			return err
		}
		defer func() { _ = body.Close() }()
		var all bytes.Buffer
		_, err = io.Copy(&all, io.LimitReader(body, 1<<20))
		text = all.String()
		return err
	})
	return text, err
}

// upload makes the key of one small part, which may be as small as it likes,
// for it is the last.
func (p *probe) upload(ctx context.Context, key, text string, condition storage.Condition, whole *uint32) (*storage.Attrs, error) {
	complete, err := p.prepare(ctx, key, text, condition, whole)
	if err != nil {
		return nil, err
	}
	return complete()
}

// prepare is upload up to its completion.
func (p *probe) prepare(ctx context.Context, key, text string, condition storage.Condition, whole *uint32) (complete func() (*storage.Attrs, error), err error) {
	r := p.request(key, text, condition)
	part := p.request(key, text, storage.Condition{})
	if whole != nil {
		r.CRC32C = whole
	}
	var upload string
	err = p.try(ctx, func() (err error) {
		upload, err = p.driver.BeginParts(ctx, r)
		return err
	})
	if err != nil {
		return nil, err
	}
	p.mark(upload, r.Key)
	var one storage.Part
	err = p.try(ctx, func() (err error) {
		one, err = p.driver.PutPart(ctx, &storage.PartRequest{
			Key: r.Key, Upload: upload, Number: 1, Body: strings.NewReader(text), Size: part.Size, CRC32C: part.CRC32C,
		})
		return err
	})
	abort := func() { _ = p.driver.AbortParts(context.WithoutCancel(ctx), r.Key, upload) }
	if err != nil {
		abort()
		return nil, err
	}
	return func() (*storage.Attrs, error) {
		attrs, err := p.driver.CompleteParts(ctx, &storage.CompleteRequest{Put: r, Upload: upload, Parts: []storage.Part{one}})
		if err != nil {
			abort()
			return nil, err
		}
		p.unmark(upload)
		return attrs, nil
	}, nil
}

func (p *probe) mark(upload, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.uploads == nil {
		p.uploads = map[string]string{}
	}
	p.uploads[upload] = key
}

func (p *probe) unmark(upload string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.uploads, upload)
}

// clean removes what was written, whatever became of ctx.
func (p *probe) clean(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	for upload, key := range p.uploads {
		if p.driver.AbortParts(ctx, key, upload) != nil {
			p.report.Left = p.prefix
		}
	}
	if p.cleanObjects(ctx) != nil || p.cleanVersions(ctx) != nil {
		p.report.Left = p.prefix
	}
}

// cleanObjects goes on past failures, and tells the last.
func (p *probe) cleanObjects(ctx context.Context) (failed error) {
	page, err := p.driver.List(ctx, &storage.ListRequest{Prefix: p.prefix, Limit: maxPage}) // there are fewer
	if err != nil {
		return err
	}
	for _, entry := range page.Entries {
		if err := p.driver.Delete(ctx, &storage.DeleteRequest{Key: entry.Key}); err != nil {
			failed = err
		}
	}
	return failed
}

// cleanVersions removes what a bucket with versions has kept. A server that
// lists none has none.
func (p *probe) cleanVersions(ctx context.Context) error {
	for range maxVersionPages {
		page, err := p.driver.ListVersions(ctx, &storage.ListRequest{Prefix: p.prefix, Limit: maxPage})
		if err != nil && !p.profile.Versioning {
			return nil
		}
		if err != nil || len(page.Entries) == 0 {
			return err
		}
		for _, entry := range page.Entries {
			if err := p.driver.Delete(ctx, &storage.DeleteRequest{Key: entry.Key, Version: entry.Version}); err != nil {
				return err
			}
		}
	}
	return &storage.Error{Code: storage.Internal, Hint: "the server lists versions that were removed"}
}
