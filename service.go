package storage

import (
	"context"
	"iter"
	"strings"
	"sync"
)

// A Service manages the buckets of one account at one provider.
type Service struct {
	driver ServiceDriver
	opts   []OpenOption
	core   *core // without a driver: hooks, retrying, telemetry

	versions sync.Map // buckets that keep versions, as far as this Service was told: true by name
}

// NewService makes a Service of a ServiceDriver; hooks, telemetry, retrying and
// errors are the core's, as with New. The options hold for every bucket that
// Bucket opens.
func NewService(d ServiceDriver, opts ...OpenOption) *Service {
	o := readOpenOptions(opts)
	desc := Description{Provider: d.Provider()}
	return &Service{driver: d, opts: opts, core: &core{
		desc:      desc,
		hooks:     o.hooks,
		memory:    o.memory,
		retry:     newRetrier(o.retry, &desc),
		telemetry: newTelemetry(o, desc),
		bad:       o.bad,
	}}
}

// do is one operation on a bucket as a whole.
func (s *Service) do(ctx context.Context, op, name string, checked *Error, f func(ctx context.Context) error) error {
	c := s.core
	scope := &core{desc: c.desc, hooks: c.hooks, memory: c.memory, retry: c.retry, telemetry: c.telemetry}
	scope.desc.Bucket = name
	o := &operation{core: scope, name: op, writes: true}
	e := checked
	if s.core.bad != nil {
		e = s.core.bad
	}
	if e == nil {
		if ctx, e = o.begin(ctx); e == nil {
			e = o.call(ctx, f)
		}
	}
	return o.end(e)
}

// CreateBucket creates a bucket. One that is there, by whomever, is
// BucketExists. Names are 3 to 63 of a-z, 0-9 and "-", a letter or digit at
// both ends, no "--", which every provider takes; else InvalidArgument.
func (s *Service) CreateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error) {
	r, e := readBucketOptions(name, opts)
	if e == nil {
		e = checkBucketName(name)
	}
	info, err := s.info(ctx, "CreateBucket", name, e, func(ctx context.Context) (*BucketInfo, error) {
		return s.driver.CreateBucket(ctx, r)
	})
	if err == nil {
		s.keepsVersions(name, r.Versioning != nil && *r.Versioning)
	}
	return info, err
}

// BucketInfo describes a bucket; BucketNotFound where there is none. What the
// credentials may not read is the zero value.
func (s *Service) BucketInfo(ctx context.Context, name string) (*BucketInfo, error) {
	info, err := s.info(ctx, "BucketInfo", name, checkOpenName(name), func(ctx context.Context) (*BucketInfo, error) {
		return s.driver.BucketInfo(ctx, name)
	})
	if err == nil && info.Versioning { // else it may be that it could not be read
		s.keepsVersions(name, true)
	}
	return info, err
}

// UpdateBucket changes what the options name and nothing else. If the change was
// made it succeeds, whatever can be read of the bucket afterwards.
func (s *Service) UpdateBucket(ctx context.Context, name string, opts ...BucketOption) (*BucketInfo, error) {
	r, e := readBucketOptions(name, opts)
	if e == nil {
		e = checkOpenName(name)
	}
	if e == nil && r.Region != "" {
		e = invalid("WithRegion", "does not fit UpdateBucket: a bucket stays where it was made")
	}
	info, err := s.info(ctx, "UpdateBucket", name, e, func(ctx context.Context) (*BucketInfo, error) {
		return s.driver.UpdateBucket(ctx, r)
	})
	if err == nil && r.Versioning != nil {
		s.keepsVersions(name, *r.Versioning)
	}
	return info, err
}

// keepsVersions remembers what this Service was told of a bucket, for Bucket.
func (s *Service) keepsVersions(name string, keeps bool) {
	if keeps {
		s.versions.Store(name, true)
	} else {
		s.versions.Delete(name)
	}
}

func (s *Service) info(ctx context.Context, op, name string, checked *Error, f func(ctx context.Context) (*BucketInfo, error)) (*BucketInfo, error) {
	var info *BucketInfo
	err := s.do(ctx, op, name, checked, func(ctx context.Context) (err error) {
		info, err = f(ctx)
		return err
	})
	if err != nil {
		return nil, err
	}
	info.Provider = s.core.desc.Provider
	return info, nil
}

// Buckets yields the account's buckets by name, and at most one error, last.
func (s *Service) Buckets(ctx context.Context) iter.Seq2[BucketInfo, error] {
	return func(yield func(BucketInfo, error) bool) {
		token, stopped := "", false
		for !stopped {
			var page []BucketInfo
			next := ""
			err := s.do(ctx, "Buckets", "", nil, func(ctx context.Context) (err error) {
				page, next, err = s.driver.ListBuckets(ctx, token)
				return err
			})
			if err != nil {
				yield(BucketInfo{}, err)
				return
			}
			for _, info := range page {
				info.Provider = s.core.desc.Provider
				if !yield(info, nil) {
					return
				}
			}
			stopped = next == "" || next == token
			token = next
		}
	}
}

// DeleteBucket removes a bucket that is empty, of old versions too: else
// BucketNotEmpty, on every provider.
func (s *Service) DeleteBucket(ctx context.Context, name string) error {
	e := checkOpenName(name)
	err := s.do(ctx, "DeleteBucket", name, e, func(ctx context.Context) error {
		d, err := s.driver.Driver(name)
		if err != nil {
			return err
		}
		defer func() { _ = d.Close() }()
		// Azure would delete everything. A page without entries may name a next one
		// that has some: a driver leaves folder markers out.
		for token := ""; ; {
			page, err := d.List(ctx, &ListRequest{Limit: 1, Token: token})
			switch {
			case err != nil:
				return err
			case len(page.Entries) > 0:
				return BucketNotEmpty
			case page.Token == "":
				return s.driver.DeleteBucket(ctx, name)
			case page.Token == token:
				return errRepeats
			}
			token = page.Token
		}
	})
	if err == nil {
		s.keepsVersions(name, false)
	}
	return err
}

// Bucket opens a bucket of the account, without a request: a bucket that is not
// there is BucketNotFound at the first operation. opts come after the service's
// own. If CreateBucket, UpdateBucket or BucketInfo of this Service has told that
// the bucket keeps versions, it is opened as with [WithVersions]. Another process,
// or another Service, has to say so on S3 and GCS.
func (s *Service) Bucket(name string, opts ...OpenOption) (Bucket, error) {
	fail := func(e *Error) (Bucket, error) {
		e.Op, e.Provider, e.Bucket = "Bucket", s.core.desc.Provider, name
		return nil, e
	}
	if e := checkOpenName(name); e != nil {
		return fail(e)
	}
	d, err := s.driver.Driver(name)
	if err != nil {
		return fail(ownError(err))
	}
	o := readOpenOptions(append(s.opts[:len(s.opts):len(s.opts)], opts...))
	_, o.serviced = s.versions.Load(name)
	b := newBucketWith(d, o)
	if b.core.bad != nil {
		e := *b.core.bad
		_ = d.Close()
		return fail(&e)
	}
	return b, nil
}

// Credentials are what another S3 client needs to reach the bucket; Unsupported
// where the provider speaks no S3.
func (s *Service) Credentials(ctx context.Context, name string) (*Credentials, error) {
	var c *Credentials
	err := s.do(ctx, "Credentials", name, checkOpenName(name), func(ctx context.Context) (err error) {
		c, err = s.driver.Credentials(ctx, name)
		return err
	})
	if err != nil {
		return nil, err
	}
	return c, nil
}

// Close releases what opening the service took, and with it its buckets.
func (s *Service) Close() error {
	s.core.closing.Do(func() {
		if err := s.driver.Close(); err != nil {
			e := ownError(err)
			e.Op, e.Provider = "Close", s.core.desc.Provider
			s.core.closeErr = e
		}
	})
	return s.core.closeErr
}

func readBucketOptions(name string, opts []BucketOption) (*BucketRequest, *Error) {
	r := &BucketRequest{Name: name}
	for _, o := range opts {
		if o == nil {
			return nil, invalid("option", "must not be nil")
		}
		o.applyBucket(r)
	}
	if r.Lifecycle != nil {
		for _, rule := range *r.Lifecycle {
			if min(rule.ExpireAfterDays, rule.ExpireOldVersionsAfterDays, rule.AbortUploadsAfterDays, rule.TransitionAfterDays) < 0 {
				return nil, invalid("WithLifecycle", "rule "+quoted(rule.ID)+" must not have negative days")
			}
			if (rule.TransitionAfterDays > 0) != (rule.TransitionTo != "") {
				return nil, invalid("WithLifecycle", "rule "+quoted(rule.ID)+" must have both TransitionAfterDays and TransitionTo, or neither")
			}
		}
	}
	if r.CORS != nil {
		for _, rule := range *r.CORS {
			if len(rule.Origins) == 0 || len(rule.Methods) == 0 || rule.MaxAge < 0 {
				return nil, invalid("WithCORS", "rules must have an origin and a method, and no negative age")
			}
		}
	}
	return r, nil
}

func checkBucketName(name string) *Error {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	valid := len(name) >= 3 && len(name) <= 63 && alnum(name[0]) && alnum(name[len(name)-1]) && !strings.Contains(name, "--")
	for i := 0; valid && i < len(name); i++ {
		valid = alnum(name[i]) || name[i] == '-'
	}
	if !valid {
		return invalid("name", `must be 3 to 63 of a-z, 0-9 and "-", a letter or digit at both ends, no "--"`)
	}
	return nil
}

// checkOpenName refuses what no provider could mean; the rest it knows itself.
func checkOpenName(name string) *Error {
	if name == "" || len(name) > 255 || strings.ContainsAny(name, "/\\?#") || !plainText(name) || name == "." || name == ".." {
		return invalid("name", "must be a bucket's name, without slashes")
	}
	return nil
}
