// Package caddy adds two modules to the Caddy web server. Both take the address of a bucket, or the
// name of a location ([locations.Open]), with placeholders such as {env.BUCKET}.
//
// caddy.storage.omnibucket keeps certificates, keys and ACME accounts in a bucket ([Storage]):
//
//	{
//		storage omnibucket s3://tls?region=eu-west-1
//	}
//
// caddy.fs.omnibucket is a file system whose files are the objects of a bucket ([FileSystem]):
//
//	{
//		filesystem photos omnibucket gs://photos
//	}
//	photos.example.com {
//		file_server {
//			fs photos
//		}
//	}
//
// Import the package for its side effect, or build Caddy with it:
//
//	xcaddy build --with github.com/omnibucket/storage/adapters/caddy
//
// The package imports all providers and most layers of the library.
package caddy

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/omnibucket/storage"
	_ "github.com/omnibucket/storage/layers/diskcache"
	_ "github.com/omnibucket/storage/layers/encrypt"
	_ "github.com/omnibucket/storage/layers/limit"
	_ "github.com/omnibucket/storage/layers/mirror"
	_ "github.com/omnibucket/storage/layers/overlay"
	_ "github.com/omnibucket/storage/layers/readonly"
	"github.com/omnibucket/storage/locations"
	_ "github.com/omnibucket/storage/providers/azure" // azblob://
	_ "github.com/omnibucket/storage/providers/gcs"   // gs://
	_ "github.com/omnibucket/storage/providers/local" // file:///
	_ "github.com/omnibucket/storage/providers/s3"    // s3://
)

func init() {
	caddy.RegisterModule(Storage{})
	caddy.RegisterModule(FileSystem{})
}

// defaultTimeout is how long a module waits for the store if the configuration does not say it.
const defaultTimeout = 10 * time.Second

// A Location says where the objects of a [Storage] or [FileSystem] are.
type Location struct {
	// Address is the address of a bucket, which may end in a folder, such as
	// s3://photos/production?region=eu-west-1, or the name of a location in the configuration file
	// of omnibucket. It may have global placeholders. Credentials come from the usual places of the
	// provider, such as environment variables, and never from the address.
	Address string `json:"address,omitempty"`
	// Timeout is how long a request waits for an answer of the store, by default 10 s.
	Timeout caddy.Duration `json:"timeout,omitempty"`
}

// open opens the bucket. No error quotes the address: its placeholders may by mistake stand for a secret.
func (l *Location) open(ctx context.Context) (*sharedBucket, error) {
	address, err := caddy.NewReplacer().ReplaceOrErr(l.Address, true, true)
	if err != nil {
		return nil, err
	}
	if address == "" {
		return nil, errors.New("the address of a bucket is missing")
	}
	if l.Timeout < 0 {
		return nil, errors.New("the timeout must not be negative")
	}

	openCtx, cancel := context.WithTimeout(ctx, l.timeout())
	defer cancel()
	b, err := openBucket(openCtx, address)
	if err != nil {
		return nil, fmt.Errorf("opening the bucket: %w", err)
	}
	return &sharedBucket{
		Bucket: b,
		name:   locations.Location{Address: address}.String(),
		users:  1, // the caller
	}, nil
}

// openBucket opens a bucket by its address, which may end in a folder, or by the name of a location in the
// configuration of locations.
func openBucket(ctx context.Context, address string) (storage.Bucket, error) {
	if !locations.IsAddress(address) {
		return locations.Open(ctx, address)
	}

	const name = "address"
	config := &locations.Config{
		Locations: map[string]locations.Location{name: {Address: address}},
		// No variable of the environment replaces the address.
		Lookup: func(string) (string, bool) {
			return "", false
		},
	}
	return config.Open(ctx, name)
}

// timeout returns how long a request to the store may take.
func (l *Location) timeout() time.Duration {
	if l.Timeout == 0 {
		return defaultTimeout
	}
	return time.Duration(l.Timeout)
}

// unmarshal reads the tokens of a module in a Caddyfile:
//
//	omnibucket <address> {
//		timeout <duration>
//	}
func (l *Location) unmarshal(d *caddyfile.Dispenser) error {
	d.Next() // the name of the module
	if !d.AllArgs(&l.Address) {
		return d.ArgErr()
	}
	for d.NextBlock(0) {
		if d.Val() != "timeout" {
			return d.Errf("unrecognized parameter '%s'", d.Val())
		}
		var text string
		if !d.AllArgs(&text) {
			return d.ArgErr()
		}
		timeout, err := caddy.ParseDuration(text)
		if err != nil || timeout <= 0 {
			return d.Err("timeout must be a positive duration, such as 10s")
		}
		l.Timeout = caddy.Duration(timeout)
	}
	return nil
}

// A sharedBucket is closed when its last user has left it. The first user is the module.
type sharedBucket struct {
	storage.Bucket
	name  string // its address without parameters, for Caddy's log
	mu    sync.Mutex
	users int
}

// join keeps the bucket open until leave, for example while a lock is held. It returns false if the bucket is closed.
func (b *sharedBucket) join() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.users == 0 {
		return false
	}
	b.users++
	return true
}

// leave ends a use of the bucket, and closes the bucket after the last one.
func (b *sharedBucket) leave() error {
	b.mu.Lock()
	b.users--
	isLast := b.users == 0
	b.mu.Unlock()
	if !isLast {
		return nil
	}
	return storage.Close(b.Bucket)
}
