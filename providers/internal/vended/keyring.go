// Package vended manages credentials that differ by the prefix of a key and expire, such as those
// that an Iceberg REST catalog vends.
package vended

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/omnibucket/storage"
)

const (
	// Credentials are replaced when their remaining lifetime is maxEarly. If new credentials live
	// for less than twice maxEarly, they are replaced after half of their lifetime. If no new
	// credentials are available yet, the old ones are used until they expire.
	maxEarly = 30 * time.Second
	// maxKept is the largest number of prefixes whose credentials are kept.
	maxKept = 1000
)

// A Grant has credentials for the keys under a prefix. A zero Expires means that they never expire.
type Grant[C any] struct {
	Prefix      string
	Expires     time.Time
	Credentials C

	margin                time.Duration // the credentials are replaced when they are valid for no more than this
	isAccepted, isRefused atomic.Bool   // true if the store has accepted, or refused, the credentials
}

// remaining returns how long the credentials are still valid, which is 0 once the store has refused
// them.
func (g *Grant[C]) remaining() time.Duration {
	if g.isRefused.Load() {
		return 0
	}
	if g.Expires.IsZero() {
		return math.MaxInt64
	}
	return time.Until(g.Expires)
}

// A Keyring keeps grants until they expire, and requests new ones by the function grant.
type Keyring[C any] struct {
	grant  func(ctx context.Context, key string) (*Grant[C], error)
	mu     sync.Mutex
	grants map[string]*Grant[C]  // grants by prefix
	calls  map[string]*grantCall // running calls of grant, by topic (see find)
}

// NewKeyring returns a Keyring that gets new credentials from the given function. The key passed to
// the function is the key of an object, or the prefix of a listing.
func NewKeyring[C any](grant func(ctx context.Context, key string) (*Grant[C], error)) *Keyring[C] {
	return &Keyring[C]{grant: grant, grants: map[string]*Grant[C]{}, calls: map[string]*grantCall{}}
}

// An operation is one call of a driver. It may make many requests, so its credentials may expire
// before it ends.
type operation[C any] struct {
	key       string
	lastGrant atomic.Pointer[Grant[C]] // credentials that the last request has used
}

// Credentials returns the credentials for the next request of an operation. ctx must be the context
// with which the driver of [New] has called the wrapped driver, because it contains the key.
func (k *Keyring[C]) Credentials(ctx context.Context) (credentials C, err error) {
	op, ok := ctx.Value(k).(*operation[C])
	if !ok {
		return credentials, grantError(ctx, errors.New("the request has no key"))
	}
	grant, err := k.get(ctx, op.key)
	if err != nil {
		return credentials, err
	}
	op.lastGrant.Store(grant)
	return grant.Credentials, nil
}

// A grantCall is a running call of grant. Several requests may wait for its end.
type grantCall struct {
	done     chan struct{}
	err      error
	canceled bool // true if grant failed only because the request that called it was canceled
}

// get returns a grant, the credentials for a prefix of keys, that is valid for key. If there is none or
// if it expires soon, get requests a new one, unless another request is doing that already.
func (k *Keyring[C]) get(ctx context.Context, key string) (*Grant[C], error) {
	for {
		s := k.state(key)
		if s.grant != nil {
			return s.grant, nil
		}
		if s.isCaller {
			return k.renew(ctx, key, s)
		}
		if err := s.call.wait(ctx); err != nil {
			return nil, err
		}
		// Look again: there is a new grant now, unless the other request was canceled.
	}
}

// A keyState is what a Keyring has for a key: a grant to use, or else the call that gets one.
type keyState[C any] struct {
	grant    *Grant[C]
	call     *grantCall // nil if grant can be used and no request asks for another
	isCaller bool       // true if the request that got this keyState must make the call
	expiring *Grant[C]  // grant that expires soon and that the call replaces, or nil
	callKey  string     // key of the call in Keyring.calls
}

// state returns what k has for a key now. If a new grant is needed and no request is getting one, state
// begins a call, which the caller of state must make.
func (k *Keyring[C]) state(key string) keyState[C] {
	k.mu.Lock()
	defer k.mu.Unlock()

	grant, expiring, callKey := k.find(key)
	s := keyState[C]{grant: grant, call: k.calls[callKey], expiring: expiring, callKey: callKey}
	if s.grant != nil {
		return s
	}
	if s.call != nil {
		// Use the grant that expires soon until the other request has replaced it.
		s.grant = expiring
		return s
	}

	s.call = &grantCall{done: make(chan struct{})}
	s.isCaller = true
	k.calls[callKey] = s.call
	return s
}

// wait waits for the end of a call that another request makes, and returns the error of the call. It
// also returns nil if that request was canceled. There is no new grant then.
func (c *grantCall) wait(ctx context.Context) error {
	select {
	case <-c.done:
	case <-ctx.Done():
	}

	// Both channels may be ready.
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if c.canceled {
		// The error is that of the other request's context.
		return nil
	}
	return c.err
}

// renew gets a new grant for key, with the call in s, for which other requests wait. If that fails,
// it returns the grant that expires soon, if there is one.
func (k *Keyring[C]) renew(ctx context.Context, key string, s keyState[C]) (*Grant[C], error) {
	grant, err := k.callGrant(ctx, key, s.callKey, s.call)
	if err == nil || s.expiring == nil {
		return grant, err
	}

	// A grant is renewed once it is valid for no more than its margin. The new margin is half of the
	// remaining time, so that not every request asks again and waits for a failing answer.
	k.mu.Lock()
	defer k.mu.Unlock()
	s.expiring.margin = s.expiring.remaining() / 2
	return s.expiring, nil
}

// find looks for the grants with the longest prefixes that cover a key:
//
//   - found does not expire soon. If it is nil, a new grant is needed.
//   - expiring expires soon, so that a new grant should replace it. It is nil if there is none, or if a
//     grant with a longer prefix has expired.
//   - callKey is the same for all requests that share one call of k.grant: the prefix of the grant that
//     expires soon or has expired, or else "/" and the folder of the key.
func (k *Keyring[C]) find(key string) (found, expiring *Grant[C], callKey string) {
	var old *Grant[C] // expires soon or has expired
	for prefix, grant := range k.grants {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		if grant.remaining() > grant.margin {
			found = narrower(found, grant)
		} else {
			old = narrower(old, grant)
		}
	}

	if old == nil {
		// The slash makes the result differ from every prefix.
		folder := key[:strings.LastIndexByte(key, '/')+1]
		return found, nil, "/" + folder
	}
	if old.remaining() > 0 {
		expiring = old
	}
	return found, expiring, old.Prefix
}

// narrower returns the grant with the longer prefix. a may be nil.
func narrower[C any](a, b *Grant[C]) *Grant[C] {
	if a == nil || len(b.Prefix) > len(a.Prefix) {
		return b
	}
	return a
}

// callGrant gets a new grant for key, keeps it, and wakes the requests that wait for call. Until then,
// call is in k.calls under callKey.
func (k *Keyring[C]) callGrant(ctx context.Context, key, callKey string, call *grantCall) (*Grant[C], error) {
	var grant *Grant[C]
	err := errors.New("CredentialsFor has not returned") // for the requests that wait, if k.grant panics
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.calls, callKey)
		call.err = err
		call.canceled = ctx.Err() != nil
		if err == nil {
			k.addGrant(grant)
		}
		close(call.done)
	}()
	grant, err = k.newGrant(ctx, key)
	return grant, err
}

// newGrant calls k.grant for key, and checks the result.
func (k *Keyring[C]) newGrant(ctx context.Context, key string) (*Grant[C], error) {
	grant, err := k.grant(ctx, key)
	if err != nil {
		return nil, grantError(ctx, err)
	}
	if !strings.HasPrefix(key, grant.Prefix) {
		err := fmt.Errorf("CredentialsFor has returned credentials for another prefix, %q", grant.Prefix)
		return nil, grantError(ctx, err)
	}
	if grant.remaining() <= 0 {
		return nil, grantError(ctx, errors.New("CredentialsFor has returned credentials that have expired"))
	}
	return grant, nil
}

// addGrant keeps a grant for later requests. It first drops all others if there are maxKept already.
func (k *Keyring[C]) addGrant(grant *Grant[C]) {
	if len(k.grants) >= maxKept {
		clear(k.grants)
	}
	grant.margin = min(maxEarly, grant.remaining()/2)
	k.grants[grant.Prefix] = grant
}

// checkError returns the error of an operation whose requests failed with err. Credentials that the
// store has refused, perhaps because they were revoked, are never used again.
func (o *operation[C]) checkError(err error) error {
	grant := o.lastGrant.Load()
	if grant == nil {
		// The operation made no request.
		return err
	}
	if err == nil {
		grant.isAccepted.Store(true)
		return nil
	}
	storageErr, ok := errors.AsType[*storage.Error](err)
	isRefused := ok && storageErr.Code == storage.Unauthenticated && !storageErr.Unknown
	if !isRefused {
		return err
	}

	grant.isRefused.Store(true)
	// A retry requests new credentials. It helps only if the refused ones were accepted once.
	refused := *storageErr
	refused.Retryable = storageErr.Retryable || grant.isAccepted.Load()
	return &refused
}

// visibleCodes lists error codes of the caller's function CredentialsFor. Users of the library see
// errors with these codes.
var visibleCodes = []storage.Code{
	storage.Unauthenticated,
	storage.PermissionDenied,
	storage.RateLimited,
	storage.Unavailable,
	storage.DeadlineExceeded,
}

// grantError returns the error of a request for which there are no credentials because of err. It
// keeps only codes such as Unavailable: the ObjectNotFound of a missing secret, for example, must not
// look like that of the object.
func grantError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	storageErr, isStorageErr := errors.AsType[*storage.Error](err)
	code, isCode := errors.AsType[storage.Code](err)
	switch {
	case isStorageErr && slices.Contains(visibleCodes, storageErr.Code):
		return storageErr
	case !isStorageErr && slices.Contains(visibleCodes, code):
		// A storage.Code is an error, too, without a storage.Error around it.
		return &storage.Error{Code: code}
	case isStorageErr || isCode:
		// Keep only the text, so that errors.Is does not find the misleading code.
		err = errors.New(err.Error())
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: "check Config.CredentialsFor"}
}
