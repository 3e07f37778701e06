package engine

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"weak"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/core/seam"
	"github.com/omnibucket/storage/internal/headertext"
)

// A service implements storage.Service with a ServiceDriver.
type service struct {
	driver driver.ServiceDriver
	opts   []storage.OpenOption
	engine *engine // hooks, retries and telemetry for calls that are about whole buckets; it has no driver

	versions sync.Map // name to true, for the buckets that are known to keep versions

	mu sync.Mutex
	// buckets has the open buckets. The pointers are weak, because a program may forget to close a
	// bucket.
	buckets map[weak.Pointer[engine]]struct{}
}

// NewService makes a [storage.Service] of a [driver.ServiceDriver], with the hooks, telemetry, retries and
// errors of [New]. The options hold for every bucket that Service.Bucket opens.
func NewService(d driver.ServiceDriver, opts ...storage.OpenOption) storage.Service {
	o := &storage.OpenOptions{}
	bad := o.Apply(opts...)
	desc := driver.Description{Provider: d.Provider()}
	return &service{driver: d, opts: opts, engine: &engine{
		desc:        desc,
		hooks:       o.Hooks,
		bufferLimit: seam.LimitOf(o.Buffers),
		retry:       newRetrier(o.Retry, &desc),
		telemetry:   reporter(o, &desc),
		optionError: ownError(bad),
	}}
}

// askBucket runs one operation on the bucket with this name, by calling f. checked is the error of
// checking the arguments, or nil.
func askBucket[T any](
	ctx context.Context, s *service, op, name string, checked *storage.Error, f func(ctx context.Context) (T, error),
) (T, error) {
	c := s.engine
	scope := &engine{desc: c.desc, hooks: c.hooks, bufferLimit: c.bufferLimit, retry: c.retry, telemetry: c.telemetry}
	scope.desc.Bucket = name
	o := &operation{engine: scope, name: op, writes: true}
	e := checked
	if s.engine.optionError != nil {
		e = s.engine.optionError
	}
	if s.engine.closed.Load() {
		e = errServiceClosed()
	}
	return run(ctx, o, e, func(ctx context.Context) (T, *storage.Error) { return request(ctx, o, f) })
}

// do runs an operation on a bucket. The operation returns no result. The parameters are those of
// the function askBucket.
func (s *service) do(
	ctx context.Context, op, name string, checked *storage.Error, f func(ctx context.Context) error,
) error {
	_, err := askBucket(ctx, s, op, name, checked, func(ctx context.Context) (struct{}, error) { return struct{}{}, f(ctx) })
	return err
}

func (s *service) CreateBucket(
	ctx context.Context, name string, opts ...storage.BucketOption,
) (*storage.BucketInfo, error) {
	r, e := readBucketOptions(name, opts)
	info, err := s.info(
		ctx, "CreateBucket", name, cmp.Or(e, checkBucketName(name)),
		func(ctx context.Context) (*storage.BucketInfo, error) {
			return s.driver.CreateBucket(ctx, r)
		},
	)
	if err == nil {
		s.keepsVersions(name, r.ObjectLock || r.Versioning != nil && *r.Versioning)
	}
	return info, err
}

func (s *service) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	var info *storage.BucketInfo // not nil beside an error if only some settings could be read
	err := s.do(ctx, "BucketInfo", name, checkOpenName(name), func(ctx context.Context) (err error) {
		info, err = s.driver.BucketInfo(ctx, name)
		return err
	})
	if info == nil || err != nil && storage.CodeOf(err) != storage.PermissionDenied {
		return nil, err
	}
	info.Provider = s.engine.desc.Provider
	if info.Versioning {
		// False may mean that the credentials may not read the setting.
		s.keepsVersions(name, true)
	}
	return info, err
}

func (s *service) UpdateBucket(
	ctx context.Context, name string, opts ...storage.BucketOption,
) (*storage.BucketInfo, error) {
	r, e := readBucketOptions(name, opts)
	e = cmp.Or(e, checkOpenName(name))
	if e == nil && r.Region != "" {
		e = invalid("WithRegion", "does not fit UpdateBucket: a bucket stays in its region")
	}
	info, err := s.info(ctx, "UpdateBucket", name, e, func(ctx context.Context) (*storage.BucketInfo, error) {
		return s.driver.UpdateBucket(ctx, r)
	})
	if err == nil && (r.ObjectLock || r.Versioning != nil) {
		s.keepsVersions(name, r.ObjectLock || *r.Versioning)
	}
	return info, err
}

// keepsVersions records whether a bucket keeps versions. The method Bucket reads the record when it
// opens the bucket.
func (s *service) keepsVersions(name string, keeps bool) {
	if keeps {
		s.versions.Store(name, true)
	} else {
		s.versions.Delete(name)
	}
}

func (s *service) info(
	ctx context.Context, op, name string, checked *storage.Error,
	f func(ctx context.Context) (*storage.BucketInfo, error),
) (*storage.BucketInfo, error) {
	info, err := askBucket(ctx, s, op, name, checked, f)
	if err == nil {
		info.Provider = s.engine.desc.Provider
	}
	return info, err
}

func (s *service) Buckets(ctx context.Context) iter.Seq2[storage.BucketInfo, error] {
	return func(yield func(storage.BucketInfo, error) bool) {
		token := ""
		var progress pageProgress
		for {
			var page []storage.BucketInfo
			next := ""
			err := s.do(ctx, "Buckets", "", nil, func(ctx context.Context) (err error) {
				if page, next, err = s.driver.ListBuckets(ctx, token); err != nil {
					return err
				}
				last := ""
				if n := len(page); n > 0 {
					last = page[n-1].Name
				}
				if e := progress.check(&s.engine.desc, token, next, last); e != nil {
					return e
				}
				return nil
			})
			if err != nil {
				yield(storage.BucketInfo{}, err)
				return
			}
			for _, info := range page {
				info.Provider = s.engine.desc.Provider
				// Few stores list rules, so nobody may rely on them.
				info.CORS = nil
				info.Lifecycle = nil
				if !yield(info, nil) {
					return
				}
			}
			token = next
			if token == "" {
				return
			}
		}
	}
}

func (s *service) DeleteBucket(ctx context.Context, name string) error {
	e := checkOpenName(name)
	err := s.do(ctx, "DeleteBucket", name, e, func(ctx context.Context) error {
		d, err := s.driver.Driver(name)
		if err != nil {
			return err
		}
		defer d.Close()

		// Azure would delete all objects together with the bucket, so check that the bucket is
		// empty. A page without entries is no proof. Drivers leave out folder markers, and the next
		// page may have entries.
		desc := d.Describe()
		e := eachPage(ctx, &desc, func(token string) (next, last string, e *storage.Error) {
			page, err := d.List(ctx, &driver.ListRequest{Limit: 1, Token: token})
			if err != nil {
				return "", "", asError(ctx, err)
			}
			if len(page.Entries) > 0 {
				return "", "", asError(ctx, storage.BucketNotEmpty)
			}
			return page.Token, "", nil
		})
		if e != nil {
			return e
		}
		return s.driver.DeleteBucket(ctx, name)
	})
	if err == nil {
		s.keepsVersions(name, false)
	}
	return err
}

func (s *service) Bucket(name string, opts ...storage.OpenOption) (storage.Bucket, error) {
	fail := func(e *storage.Error) (storage.Bucket, error) {
		e.Op = "Bucket"
		e.Provider = s.engine.desc.Provider
		e.Bucket = name
		return nil, e
	}
	if e := checkOpenName(name); e != nil {
		return fail(e)
	}
	if s.engine.closed.Load() {
		return fail(errServiceClosed())
	}

	d, err := s.driver.Driver(name)
	if err != nil {
		return fail(ownError(err))
	}
	_, ok := s.versions.Load(name)
	b := newEngine(d, append(s.opts[:len(s.opts):len(s.opts)], opts...), ok)
	if b.optionError != nil {
		e := *b.optionError
		_ = d.Close()
		return fail(&e)
	}

	if !s.add(b) {
		// Another goroutine has called Close.
		_ = b.close()
		return fail(errServiceClosed())
	}
	return storage.NewBucket(bucket{b}), nil
}

func errServiceClosed() *storage.Error {
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("the service is closed"),
		Hint: "open it again",
	}
}

// add records that the bucket is open, so that Close closes it. It returns false if the service is
// closed.
func (s *service) add(c *engine) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine.closed.Load() {
		return false
	}
	if s.buckets == nil {
		s.buckets = map[weak.Pointer[engine]]struct{}{}
	}
	p := weak.Make(c)
	s.buckets[p] = struct{}{}
	c.forget = func() {
		s.forget(p)
	}
	runtime.AddCleanup(c, s.forget, p)
	return true
}

func (s *service) forget(p weak.Pointer[engine]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets, p)
}

func (s *service) Credentials(ctx context.Context, name string) (*storage.Credentials, error) {
	return askBucket(
		ctx, s, "Credentials", name, checkOpenName(name),
		func(ctx context.Context) (*storage.Credentials, error) { return s.driver.Credentials(ctx, name) },
	)
}

func (s *service) Close() error {
	s.engine.closing.Do(func() {
		s.mu.Lock()
		s.engine.closed.Store(true)
		open := slices.Collect(maps.Keys(s.buckets))
		s.mu.Unlock()
		var failures []error
		for _, p := range open {
			if c := p.Value(); c != nil {
				failures = append(failures, c.close())
			}
		}
		if err := s.driver.Close(); err != nil {
			e := ownError(err)
			e.Op = "Close"
			e.Provider = s.engine.desc.Provider
			failures = append(failures, e)
		}
		s.engine.closeErr = errors.Join(failures...)
	})
	return s.engine.closeErr
}

func readBucketOptions(name string, opts []storage.BucketOption) (*driver.BucketRequest, *storage.Error) {
	var o storage.BucketOptions
	if err := o.Apply(opts...); err != nil {
		return nil, ownError(err)
	}
	return &driver.BucketRequest{
		Name:             name,
		Region:           o.Region,
		PublicAccess:     o.PublicAccess,
		Versioning:       o.Versioning,
		CORS:             o.CORS,
		Lifecycle:        o.Lifecycle,
		ObjectLock:       o.ObjectLock,
		DefaultRetention: o.DefaultRetention,
		SoftDelete:       o.SoftDelete,
	}, nil
}

func checkBucketName(name string) *storage.Error {
	alnum := func(c byte) bool { return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' }
	valid := len(name) >= 3 && len(name) <= 63 && alnum(name[0]) && alnum(name[len(name)-1]) &&
		!strings.Contains(name, "--")
	for i := 0; valid && i < len(name); i++ {
		valid = alnum(name[i]) || name[i] == '-'
	}
	if !valid {
		return invalid("name", `must be 3 to 63 of a-z, 0-9 and "-", a letter or digit at both ends, no "--"`)
	}
	return nil
}

// checkOpenName refuses names that no provider accepts. The provider checks the rest.
func checkOpenName(name string) *storage.Error {
	if name == "" || len(name) > 255 || strings.ContainsAny(name, "/\\?#") || !headertext.Plain(name) || name == "." ||
		name == ".." {
		return invalid("name", "must be a bucket's name, without slashes")
	}
	return nil
}
