// Package vended manages credentials that differ by the prefix of a key and expire, such as those
// that an Iceberg REST catalog vends.
package vended

import (
	"cmp"
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

// get returns a grant for a key. It asks for one if there is none or if it expires soon. If another
// request is asking already, get uses the grant that expires soon, or waits for the answer.
func (k *Keyring[C]) get(ctx context.Context, key string) (*Grant[C], error) {
	for {
		k.mu.Lock()
		grant, ending, topic := k.find(key)
		call := k.calls[topic] // of another request, which is asking now
		if call != nil {
			// Use the grant that expires soon until the other request has replaced it.
			grant = cmp.Or(grant, ending)
		}
		if grant != nil {
			k.mu.Unlock()
			return grant, nil
		}
		if call == nil {
			call = &grantCall{done: make(chan struct{})}
			k.calls[topic] = call
			k.mu.Unlock()
			return k.replace(ctx, key, topic, ending, call)
		}
		k.mu.Unlock()

		// Wait for the call of the other request.
		select {
		case <-call.done:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if call.err != nil && !call.canceled {
			return nil, call.err
		}
		// Look again: there is a new grant now, unless the other request was canceled.
	}
}

// replace asks for a grant for key. If that fails, it returns ending, the grant that expires soon,
// unless ending is nil.
func (k *Keyring[C]) replace(
	ctx context.Context, key, topic string, ending *Grant[C], call *grantCall,
) (*Grant[C], error) {
	grant, err := k.ask(ctx, key, topic, call)
	if err == nil || ending == nil {
		return grant, err
	}

	// Ask again only when half of the remaining time is over, so that not every request waits for a failing answer.
	k.mu.Lock()
	defer k.mu.Unlock()
	ending.margin = ending.remaining() / 2
	return ending, nil
}

// find looks for the grants with the longest prefixes that cover a key:
//
//   - found does not expire soon. If it is nil, a new grant is needed.
//   - ending expires soon, so that a new grant should replace it. It is nil if there is none, or if a
//     grant with a longer prefix has expired.
//   - topic is the same for all requests that share one call of k.grant: the prefix of the grant that
//     expires soon or has expired, or else "/" and the folder of the key.
func (k *Keyring[C]) find(key string) (found, ending *Grant[C], topic string) {
	folder := key[:strings.LastIndexByte(key, '/')+1]
	topic = "/" + folder // begins with "/", so that it differs from every prefix

	// Lengths of the longest prefixes so far, where none is shorter than "".
	foundLength := -1
	endingLength := -1
	for prefix, grant := range k.grants {
		if !strings.HasPrefix(key, prefix) {
			continue
		}
		expiresSoon := grant.remaining() <= grant.margin
		if !expiresSoon {
			if len(prefix) > foundLength {
				foundLength = len(prefix)
				found = grant
			}
			continue
		}

		if len(prefix) <= endingLength {
			continue
		}
		endingLength = len(prefix)
		topic = prefix
		ending = nil
		if grant.remaining() > 0 {
			ending = grant
		}
	}
	return found, ending, topic
}

// ask calls k.grant for key, keeps the result, and wakes the requests that wait for call.
func (k *Keyring[C]) ask(ctx context.Context, key, topic string, call *grantCall) (grant *Grant[C], err error) {
	// If k.grant panics, the requests that wait get this error.
	err = errors.New("CredentialsFor has not returned")
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.calls, topic)
		call.err = err
		call.canceled = ctx.Err() != nil
		if err == nil {
			k.addGrant(grant)
		}
		close(call.done)
	}()

	grant, err = k.grant(ctx, key)
	if err != nil {
		return nil, grantError(ctx, err)
	}
	if !strings.HasPrefix(key, grant.Prefix) {
		err = fmt.Errorf("CredentialsFor has returned credentials for another prefix, %q", grant.Prefix)
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
	e, ok := errors.AsType[*storage.Error](err)
	if !ok || e.Code != storage.Unauthenticated || e.Unknown {
		return err
	}

	grant.isRefused.Store(true)
	// A retry requests new credentials. It helps only if the refused ones were accepted once.
	refused := *e
	refused.Retryable = e.Retryable || grant.isAccepted.Load()
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
	e, isError := errors.AsType[*storage.Error](err)
	if isError && slices.Contains(visibleCodes, e.Code) {
		return e
	}
	// A Code alone is an error, too.
	code, isCode := errors.AsType[storage.Code](err)
	if !isError && slices.Contains(visibleCodes, code) {
		return &storage.Error{Code: code}
	}

	if isError || isCode {
		// Keep only the text, so that errors.Is does not find the code.
		err = errors.New(err.Error())
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: "check Config.CredentialsFor"}
}
