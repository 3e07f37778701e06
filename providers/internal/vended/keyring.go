// Package vended has the credentials of a bucket that differ by prefix and expire, such as those that an
// Iceberg REST catalog vends.
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
	// maxEarly is how long before their end credentials are replaced at most. Until their end they are still
	// used if grant fails or is slow. Credentials that are valid for less than twice maxEarly are replaced
	// after half of their time.
	maxEarly = 30 * time.Second
	// maxKept is how many prefixes have credentials at once.
	maxKept = 1000
)

// A Grant has credentials for the keys with a prefix, until they expire; zero means never.
type Grant[C any] struct {
	Prefix      string
	Expires     time.Time
	Credentials C

	early           time.Duration // how long before their end the credentials are replaced
	served, refused atomic.Bool   // whether the store has accepted or refused them
}

func (g *Grant[C]) left() time.Duration {
	switch {
	case g.refused.Load():
		return 0
	case g.Expires.IsZero():
		return math.MaxInt64
	}
	return time.Until(g.Expires)
}

// A Keyring keeps the grants that have not expired, and asks for new ones.
type Keyring[C any] struct {
	grant func(ctx context.Context, key string) (*Grant[C], error)
	mu    sync.Mutex
	kept  map[string]*Grant[C] // grants by prefix
	asked map[string]*question // calls of grant, by the prefix that they replace or by the folder of the key
}

// NewKeyring returns a Keyring that asks grant for the credentials of a key, or of the prefix of a listing.
func NewKeyring[C any](grant func(ctx context.Context, key string) (*Grant[C], error)) *Keyring[C] {
	return &Keyring[C]{grant: grant, kept: map[string]*Grant[C]{}, asked: map[string]*question{}}
}

// An operation is one call of a driver. It may make many requests, for longer than credentials last.
type operation[C any] struct {
	key  string
	used atomic.Pointer[Grant[C]] // the grant of the last request
}

// Credentials returns the credentials for the next request of an operation. ctx must be a
// context that the driver of [New] has passed on.
func (k *Keyring[C]) Credentials(ctx context.Context) (credentials C, err error) {
	o, ok := ctx.Value(k).(*operation[C])
	if !ok {
		return credentials, failed(ctx, errors.New("the request has no key"))
	}
	g, err := k.get(ctx, o.key)
	if err != nil {
		return credentials, err
	}
	o.used.Store(g)
	return g.Credentials, nil
}

// A question is one call of grant, for which several requests wait.
type question struct {
	answered chan struct{}
	err      error
	canceled bool // the request that asked was canceled, not the question
}

func (k *Keyring[C]) get(ctx context.Context, key string) (*Grant[C], error) {
	for {
		k.mu.Lock()
		found, ending, topic := k.find(key)
		q, waiting := k.asked[topic]
		if waiting {
			found = cmp.Or(found, ending)
		}
		if found != nil {
			k.mu.Unlock()
			return found, nil
		}
		if !waiting {
			q = &question{answered: make(chan struct{})}
			k.asked[topic] = q
		}
		k.mu.Unlock()
		if !waiting {
			g, err := k.ask(ctx, key, topic, q)
			if err != nil && ending != nil {
				k.mu.Lock()
				defer k.mu.Unlock()
				ending.early = ending.left() / 2 // so that not every request waits for such an answer
				return ending, nil
			}
			return g, err
		}
		select {
		case <-q.answered:
		case <-ctx.Done():
		}
		switch {
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case q.err != nil && !q.canceled:
			return nil, q.err
		} // otherwise the grant is kept, or is not for this key, or the request that asked was canceled
	}
}

// find returns the grant that is kept for a key: the one with the longest prefix. If there is none, it returns
// the subject of a question: the longest prefix whose credentials are about to end, or the folder of the key.
// ending is nil if those credentials are not valid any more.
func (k *Keyring[C]) find(key string) (found, ending *Grant[C], topic string) {
	topic = "/" + key[:strings.LastIndexByte(key, '/')+1] // no prefix begins like this
	valid, ended := -1, -1
	for prefix, grant := range k.kept {
		switch {
		case !strings.HasPrefix(key, prefix):
		case grant.left() > grant.early:
			if len(prefix) > valid {
				valid, found = len(prefix), grant
			}
		case len(prefix) > ended:
			if ended, topic, ending = len(prefix), prefix, nil; grant.left() > 0 {
				ending = grant
			}
		}
	}
	return found, ending, topic
}

// ask calls grant, and answers the question.
func (k *Keyring[C]) ask(ctx context.Context, key, topic string, q *question) (grant *Grant[C], err error) {
	err = errors.New("CredentialsFor has not returned")
	defer func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		delete(k.asked, topic)
		if q.err, q.canceled = err, ctx.Err() != nil; err == nil {
			k.keep(grant)
		}
		close(q.answered)
	}()
	grant, err = k.grant(ctx, key)
	switch {
	case err != nil:
		err = failed(ctx, err)
	case !strings.HasPrefix(key, grant.Prefix):
		err = failed(ctx, fmt.Errorf("CredentialsFor has returned credentials for another prefix, %q", grant.Prefix))
	case grant.left() <= 0:
		err = failed(ctx, errors.New("CredentialsFor has returned credentials that have expired"))
	}
	return grant, err
}

// keep keeps a grant. If there are too many, it forgets the others.
func (k *Keyring[C]) keep(grant *Grant[C]) {
	if len(k.kept) >= maxKept {
		clear(k.kept)
	}
	grant.early = min(maxEarly, grant.left()/2)
	k.kept[grant.Prefix] = grant
}

// judge returns the error of an operation. Credentials that the store refuses are not used again, whatever their
// end: they were revoked, or this machine's clock is wrong. If they served before, the error is Retryable, and
// the next attempt asks for others. If they are new, others would be refused too.
func (o *operation[C]) judge(err error) error {
	used := o.used.Load()
	e, ok := errors.AsType[*storage.Error](err)
	switch {
	case used == nil: // the operation made no request
	case err == nil:
		used.served.Store(true)
	case ok && e.Code == storage.Unauthenticated && !e.Unknown:
		used.refused.Store(true)
		again := *e
		again.Retryable = e.Retryable || used.served.Load()
		return &again
	}
	return err
}

// aboutCredentials are the codes of errors that a caller's function may choose.
var aboutCredentials = []storage.Code{
	storage.Unauthenticated, storage.PermissionDenied, storage.RateLimited, storage.Unavailable,
	storage.DeadlineExceeded,
}

// failed returns the error of a request without credentials. A function may return an error of this library, such as
// Unavailable, which is retried. The error must not look like an error about the object: if a secret is not found,
// the object may exist.
func failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	own, whole := errors.AsType[*storage.Error](err)
	code, alone := errors.AsType[storage.Code](err)
	switch {
	case whole && slices.Contains(aboutCredentials, own.Code):
		return own
	case !whole && slices.Contains(aboutCredentials, code):
		return &storage.Error{Code: code}
	case whole || alone:
		err = errors.New(err.Error())
	}
	return &storage.Error{Code: storage.Unauthenticated, Err: err, Hint: "check Config.CredentialsFor"}
}
