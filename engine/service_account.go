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

// NewService makes a [storage.Service] of a [driver.ServiceDriver], with hooks, telemetry, retries and
// errors as [New] adds them. The options hold for every bucket that Service.Bucket opens.
func NewService(d driver.ServiceDriver, opts ...storage.OpenOption) storage.Service {
	// Each call of the service returns the error of the options.
	o := &storage.OpenOptions{}
	optsErr := o.Apply(opts...)
	desc := driver.Description{Provider: d.Provider()}
	return &service{
		driver: d,
		opts:   opts,
		engine: &engine{
			desc:        desc,
			hooks:       o.Hooks,
			bufferLimit: seam.LimitOf(o.Buffers),
			retry:       newRetrier(o.Retry, &desc),
			telemetry:   reporter(o, &desc),
			optionError: ownError(optsErr),
		},
	}
}

// runOnBucket runs the operation op on the bucket with this name, by calling do, unless argErr, the error
// of its arguments, is not nil.
func runOnBucket[T any](
	ctx context.Context, s *service, op, name string, argErr *storage.Error, do func(ctx context.Context) (T, error),
) (T, error) {
	// The operation has an engine of its own, whose description names the bucket. Hooks, telemetry
	// and errors take the name from it.
	account := s.engine
	bucketEngine := &engine{
		desc:        account.desc,
		hooks:       account.hooks,
		bufferLimit: account.bufferLimit,
		retry:       account.retry,
		telemetry:   account.telemetry,
	}
	bucketEngine.desc.Bucket = name
	o := &operation{
		engine: bucketEngine,
		name:   op,
		writes: true,
	}
	return run(ctx, o, s.checkCall(argErr), func(ctx context.Context) (T, *storage.Error) {
		return request(ctx, o, do)
	})
}

// checkCall returns the first reason why a call must fail: a closed service, an invalid option of
// the service, or argErr, the error of the call's own arguments.
func (s *service) checkCall(argErr *storage.Error) *storage.Error {
	if s.engine.closed.Load() {
		return errServiceClosed()
	}
	if s.engine.optionError != nil {
		return s.engine.optionError
	}
	return argErr
}

// do runs an operation on a bucket that has no result, as runOnBucket does.
func (s *service) do(
	ctx context.Context, op, name string, argErr *storage.Error, do func(ctx context.Context) error,
) error {
	_, err := runOnBucket(ctx, s, op, name, argErr, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, do(ctx)
	})
	return err
}

// CreateBucket creates a bucket, whose name must be one that every provider accepts.
func (s *service) CreateBucket(
	ctx context.Context, name string, opts ...storage.BucketOption,
) (*storage.BucketInfo, error) {
	req, argErr := readBucketOptions(name, opts)
	argErr = cmp.Or(argErr, checkBucketName(name))
	create := func(ctx context.Context) (*storage.BucketInfo, error) { return s.driver.CreateBucket(ctx, req) }
	info, err := runOnBucket(ctx, s, "CreateBucket", name, argErr, create)
	if err != nil {
		return nil, err
	}
	info.Provider = s.engine.desc.Provider

	// A lock needs versions.
	hasVersioning := req.Versioning != nil && *req.Versioning
	s.recordVersioning(name, req.ObjectLock || hasVersioning)
	return info, nil
}

// BucketInfo returns the settings of a bucket. If only some settings could be read, it returns those
// and PermissionDenied.
func (s *service) BucketInfo(ctx context.Context, name string) (*storage.BucketInfo, error) {
	// An operation drops its result if it fails, so it sets info, which may come with PermissionDenied.
	var info *storage.BucketInfo
	read := func(ctx context.Context) error {
		var err error
		info, err = s.driver.BucketInfo(ctx, name)
		return err
	}
	err := s.do(ctx, "BucketInfo", name, checkOpenName(name), read)
	if info == nil {
		return nil, err
	}
	if err != nil && storage.CodeOf(err) != storage.PermissionDenied {
		return nil, err
	}

	info.Provider = s.engine.desc.Provider
	// If Versioning is false, perhaps the credentials may not read the setting.
	if info.Versioning {
		s.recordVersioning(name, true)
	}
	return info, err
}

// UpdateBucket changes the settings of a bucket.
func (s *service) UpdateBucket(
	ctx context.Context, name string, opts ...storage.BucketOption,
) (*storage.BucketInfo, error) {
	req, argErr := readBucketOptions(name, opts)
	argErr = cmp.Or(argErr, checkOpenName(name))
	if argErr == nil && req.Region != "" {
		argErr = invalid("WithRegion", "does not fit UpdateBucket: a bucket stays in its region")
	}
	update := func(ctx context.Context) (*storage.BucketInfo, error) { return s.driver.UpdateBucket(ctx, req) }
	info, err := runOnBucket(ctx, s, "UpdateBucket", name, argErr, update)
	if err != nil {
		return nil, err
	}
	info.Provider = s.engine.desc.Provider

	// Record whether the bucket keeps versions now.
	switch {
	case req.ObjectLock:
		s.recordVersioning(name, true) // a lock needs versions
	case req.Versioning != nil:
		s.recordVersioning(name, *req.Versioning)
	}
	return info, nil
}

// recordVersioning records whether a bucket keeps versions, for the method Bucket, which opens it.
func (s *service) recordVersioning(name string, keepsVersions bool) {
	if keepsVersions {
		s.versions.Store(name, true)
	} else {
		s.versions.Delete(name)
	}
}

// Buckets yields the buckets of the account, page by page.
func (s *service) Buckets(ctx context.Context) iter.Seq2[storage.BucketInfo, error] {
	return func(yield func(storage.BucketInfo, error) bool) {
		var progress pageProgress
		token := ""
		for {
			page, next, err := s.bucketPage(ctx, token, &progress)
			if err != nil {
				yield(storage.BucketInfo{}, err)
				return
			}

			for _, info := range page {
				info.Provider = s.engine.desc.Provider
				// Few stores list rules, so no program may rely on them.
				info.CORS = nil
				info.Lifecycle = nil
				if !yield(info, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			token = next
		}
	}
}

// bucketPage returns the page of buckets with the token, and the token of the next page. It fails if
// the listing makes no progress.
func (s *service) bucketPage(
	ctx context.Context, token string, progress *pageProgress,
) (page []storage.BucketInfo, next string, err error) {
	list := func(ctx context.Context) error {
		var err error
		page, next, err = s.driver.ListBuckets(ctx, token)
		if err != nil {
			return err
		}

		last := ""
		if len(page) > 0 {
			last = page[len(page)-1].Name
		}
		// check returns a *storage.Error. A nil one, returned as an error, would not be equal to nil.
		if err := progress.check(&s.engine.desc, token, next, last); err != nil {
			return err
		}
		return nil
	}
	if err := s.do(ctx, "Buckets", "", nil, list); err != nil {
		return nil, "", err
	}
	return page, next, nil
}

// DeleteBucket deletes a bucket, and fails with BucketNotEmpty if it has objects.
func (s *service) DeleteBucket(ctx context.Context, name string) error {
	err := s.do(ctx, "DeleteBucket", name, checkOpenName(name), func(ctx context.Context) error {
		if err := s.checkEmpty(ctx, name); err != nil {
			return err
		}
		return s.driver.DeleteBucket(ctx, name)
	})
	if err == nil {
		// A later bucket with this name need not keep versions.
		s.recordVersioning(name, false)
	}
	return err
}

// checkEmpty fails with BucketNotEmpty if the bucket has an object, because Azure would delete all
// objects together with the bucket.
func (s *service) checkEmpty(ctx context.Context, name string) error {
	d, err := s.driver.Driver(name)
	if err != nil {
		return err
	}
	defer d.Close()

	// A page without entries is no proof, because drivers leave out folder markers, and the next page
	// may have entries.
	desc := d.Describe()
	failure := eachPage(ctx, &desc, func(token string) (next, last string, _ *storage.Error) {
		page, err := d.List(ctx, &driver.ListRequest{Limit: 1, Token: token})
		if err != nil {
			return "", "", asError(ctx, err)
		}

		if len(page.Entries) > 0 {
			return "", "", asError(ctx, storage.BucketNotEmpty)
		}
		return page.Token, "", nil
	})

	// A nil *storage.Error, returned as an error, would not be equal to nil.
	if failure != nil {
		return failure
	}
	return nil
}

// Bucket opens a bucket, without a request.
func (s *service) Bucket(name string, opts ...storage.OpenOption) (storage.Bucket, error) {
	e, err := s.openBucket(name, opts)
	if err != nil {
		err.Op = "Bucket"
		err.Provider = s.engine.desc.Provider
		err.Bucket = name
		return nil, err
	}
	return storage.NewBucket(bucket{e}), nil
}

// openBucket opens a bucket, and records it among the open buckets of the service. The error is a
// copy, which the caller may change.
func (s *service) openBucket(name string, opts []storage.OpenOption) (*engine, *storage.Error) {
	if err := checkOpenName(name); err != nil {
		return nil, err
	}
	if s.engine.closed.Load() {
		return nil, errServiceClosed()
	}

	d, err := s.driver.Driver(name)
	if err != nil {
		return nil, ownError(err)
	}

	// The options of the call come after those of the service, so they replace them.
	allOpts := slices.Concat(s.opts, opts)
	_, keepsVersions := s.versions.Load(name)
	e := newEngine(d, allOpts, keepsVersions)
	if e.optionError != nil {
		_ = d.Close()
		return nil, ownError(e.optionError)
	}

	if !s.add(e) {
		// Another goroutine has called Close.
		_ = e.close()
		return nil, errServiceClosed()
	}
	return e, nil
}

// errServiceClosed returns the error of a call after Close.
func errServiceClosed() *storage.Error {
	return &storage.Error{
		Code: storage.InvalidArgument,
		Err:  errors.New("the service is closed"),
		Hint: "open it again",
	}
}

// add records an open bucket, which Close then closes, and returns false if the service is closed.
func (s *service) add(e *engine) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.engine.closed.Load() {
		return false
	}

	// The pointer is weak, so that a bucket that the program drops without Close can be freed. The
	// record is removed by Close of the bucket or, after such a drop, by the garbage collector.
	if s.buckets == nil {
		s.buckets = map[weak.Pointer[engine]]struct{}{}
	}
	pointer := weak.Make(e)
	s.buckets[pointer] = struct{}{}
	e.forget = func() {
		s.forget(pointer)
	}
	runtime.AddCleanup(e, s.forget, pointer)
	return true
}

// forget removes a bucket from the list of open buckets.
func (s *service) forget(p weak.Pointer[engine]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.buckets, p)
}

// Credentials returns the address and credentials with which another S3 client opens the bucket.
func (s *service) Credentials(ctx context.Context, name string) (*storage.Credentials, error) {
	err := checkOpenName(name)
	return runOnBucket(ctx, s, "Credentials", name, err, func(ctx context.Context) (*storage.Credentials, error) {
		return s.driver.Credentials(ctx, name)
	})
}

// Close closes the service and the buckets that it has opened. It returns the joined errors.
func (s *service) Close() error {
	s.engine.closing.Do(func() { s.engine.closeErr = s.closeAll() })
	return s.engine.closeErr
}

// closeAll closes the open buckets, and then the driver, so that no other bucket can be opened.
func (s *service) closeAll() error {
	// After this, add records no bucket.
	s.mu.Lock()
	s.engine.closed.Store(true)
	open := slices.Collect(maps.Keys(s.buckets))
	s.mu.Unlock()

	var failures []error
	for _, pointer := range open {
		// The program may have dropped the bucket without Close. Then the weak pointer is nil.
		if e := pointer.Value(); e != nil {
			failures = append(failures, e.close())
		}
	}
	if err := s.driver.Close(); err != nil {
		failure := ownError(err)
		failure.Op = "Close"
		failure.Provider = s.engine.desc.Provider
		failures = append(failures, failure)
	}
	return errors.Join(failures...)
}

// readBucketOptions returns the request for a bucket with the name and these options.
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

// checkBucketName returns InvalidArgument unless every provider accepts the name for a new bucket.
func checkBucketName(name string) *storage.Error {
	if !isPortableName(name) {
		return invalid("name", `must be 3 to 63 of a-z, 0-9 and "-", a letter or digit at both ends, no "--"`)
	}
	return nil
}

// isPortableName reports whether every provider accepts the name for a new bucket: 3 to 63 lower-case
// letters, digits and single hyphens, with a letter or digit at both ends.
func isPortableName(name string) bool {
	const minLength, maxLength = 3, 63
	if len(name) < minLength || len(name) > maxLength || strings.Contains(name, "--") {
		return false
	}
	if name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}

	for _, char := range name {
		isLetter := char >= 'a' && char <= 'z'
		isDigit := char >= '0' && char <= '9'
		if !isLetter && !isDigit && char != '-' {
			return false
		}
	}
	return true
}

// checkOpenName refuses names of buckets that no provider accepts. The provider checks the rest.
func checkOpenName(name string) *storage.Error {
	const maxBytes = 255 // of a file name, because a bucket may be a directory
	isPath := name == "." || name == ".." || strings.ContainsAny(name, "/\\?#")
	if name == "" || len(name) > maxBytes || isPath || !headertext.Plain(name) {
		return invalid("name", "must be a bucket's name, without slashes")
	}
	return nil
}
