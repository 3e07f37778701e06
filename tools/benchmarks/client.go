package main

import (
	"bytes"
	"context"
	"io"
	"sync"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/tools/benchmarks/nullazure"
	"github.com/omnibucket/storage/tools/benchmarks/nullgcs"
	"github.com/omnibucket/storage/tools/benchmarks/nulls3"
	"github.com/omnibucket/storage/tools/benchmarks/nullserver"
)

// A provider is a column of the table of cases.
type provider struct {
	name    string             // prefix of its cases, and the child that runs its null server
	service nullserver.Service // what the null server serves
	address string             // used for signing, which sends no request
	open    func(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error)
}

var (
	amazon    = &provider{"s3", nulls3.Service{}, "https://s3.us-east-1.amazonaws.com", openS3}
	google    = &provider{"gcs", nullgcs.Service{}, "", openGCS}
	microsoft = &provider{"azure", nullazure.Service{}, "http://127.0.0.1:10000", openAzure}

	// unknown is the same server as amazon's, and a bucket without a profile.
	unknown = &provider{"s3", nulls3.Service{}, "", openUnknownS3}
)

// A client is the bucket of one library. It has the operations that the cases
// with this library need; the others are nil.
type client struct {
	put    func(ctx context.Context, key string, data []byte) error
	upload func(ctx context.Context, key string, body io.Reader, size int64) error // size is -1 if unknown
	open   func(ctx context.Context, key string) (io.ReadCloser, error)
	get    func(ctx context.Context, key string, buffer []byte) error                // if nil, open is used
	read   func(ctx context.Context, key string, size int64) (read int64, err error) // if nil, open is used
	file   func(ctx context.Context, key, name string) error
	list   func(ctx context.Context, prefix string, each func()) error
	sign   func(ctx context.Context, key string) error
	random func(ctx context.Context, key string) (randomAccess, error)
	ranges func(ctx context.Context, key string, ranges []storage.Range) error // into memory
	bucket storage.Bucket                                                      // of this library, for its jobs
}

// A randomAccess is an object that is read at offsets.
type randomAccess interface {
	io.ReaderAt
	io.Closer
}

// A contender is a library, and how it makes a client of a server.
type contender struct {
	name string
	open func(e *env, server string) (client, error)
	once bool // see row
}

func (c contender) onlyOnce() contender {
	c.once = true
	return c
}

// beside returns a contender whose file is a download by another one, while c downloads to
// a file, again and again.
func (c contender) beside(measured contender) contender {
	return contender{name: c.name, open: func(e *env, server string) (client, error) {
		other, err := c.open(e, server)
		if err != nil {
			return client{}, err
		}
		opened, err := measured.open(e, server)
		return client{file: func(ctx context.Context, key, name string) error {
			busy, cancel := context.WithCancel(ctx)
			var again sync.WaitGroup
			again.Go(func() {
				for busy.Err() == nil {
					_ = other.file(busy, key, name+".other")
				}
			})
			defer again.Wait()
			defer cancel()
			return opened.file(ctx, key, name)
		}}, err
	}}
}

// tuning sets options of this library; a zero field is the default.
type tuning struct {
	memory      int64
	concurrency int
	stream      bool // put has a body of unknown length
	hedged      bool // reads are hedged
	encrypted   bool // by layers/encrypt
}

// ours returns this library as a contender.
func (p *provider) ours(name string, t tuning) contender {
	return contender{name: name, open: func(e *env, server string) (client, error) {
		var opts []storage.OpenOption
		if t.memory > 0 {
			opts = append(opts, storage.WithBufferLimit(&storage.BufferLimit{Max: t.memory}))
		}
		if t.hedged {
			opts = append(opts, storage.WithHedgedReads())
		}
		if t.encrypted {
			layer, err := encryption()
			if err != nil {
				return client{}, err
			}
			opts = append(opts, driver.WithLayer(layer))
		}
		b, err := p.open(e.ctx, server, opts...)
		return t.client(b), err
	}}
}

func (t tuning) client(b storage.Bucket) client {
	upload, download := []storage.UploadOption{storage.WithContentType(contentType)}, []storage.DownloadOption(nil)
	if t.concurrency > 0 {
		upload = append(upload, storage.WithConcurrency(t.concurrency))
		download = append(download, storage.WithConcurrency(t.concurrency))
	}
	s := own{b, upload}
	c := client{
		put:    s.put,
		upload: func(ctx context.Context, key string, body io.Reader, _ int64) error { return s.upload(ctx, key, body) },
		open: func(ctx context.Context, key string) (io.ReadCloser, error) {
			return b.Download(ctx, key, download...)
		},
		file: func(ctx context.Context, key, name string) error {
			_, err := storage.DownloadFile(ctx, b, key, name, download...)
			return err
		},
		list:   s.list,
		bucket: b,
		sign: func(ctx context.Context, key string) error {
			_, err := b.SignedDownloadURL(ctx, key, storage.WithTTL(time.Hour))
			return err
		},
		random: func(ctx context.Context, key string) (randomAccess, error) { return storage.NewReaderAt(ctx, b, key) },
		ranges: func(ctx context.Context, key string, ranges []storage.Range) error {
			_, _, err := storage.ReadRanges(ctx, b, key, ranges)
			return err
		},
	}
	if t.stream {
		c.put = func(ctx context.Context, key string, data []byte) error { return s.upload(ctx, key, asStream(data)) }
	}
	return c
}

// goCloudContender returns gocloud.dev/blob as a contender.
func goCloudContender(name string, open func(ctx context.Context, server string) (goCloud, error)) contender {
	return contender{name: name, open: func(e *env, server string) (client, error) {
		s, err := open(e.ctx, server)
		return client{
			put:    s.put,
			upload: func(ctx context.Context, key string, body io.Reader, _ int64) error { return s.upload(ctx, key, body) },
			open: func(ctx context.Context, key string) (io.ReadCloser, error) {
				return s.bucket.NewReader(ctx, key, nil)
			},
			list: s.list,
		}, err
	}}
}

// A clientCase is a line of the table of cases.
type clientCase struct {
	provider    *provider // nil if it needs no server
	name, title string    // name without that of the provider
	server      *nullserver.Options
	do          work
	contenders  []contender
	goals       []goal
	grows       *growth // nil if the case has one size

	// amount, if set, is done once, by each contender in a process of its own.
	amount int
	// heap measures the peak of that process's heap, not of its resident memory.
	heap bool
}

func (c clientCase) fullName() string {
	if c.provider == nil {
		return c.name
	}
	return c.provider.name + "-" + c.name
}

func (c clientCase) benchCase() benchCase {
	all := benchCase{name: c.fullName(), title: c.title, goals: c.goals, grows: c.grows}
	for _, contender := range c.contenders {
		setup := func(e *env) (func(int) error, error) { return c.setup(e, contender) }
		all.rows = append(
			all.rows, row{name: contender.name, setup: setup, once: contender.once || c.heap, single: c.amount > 0},
		)
	}
	return all
}

func (c clientCase) setup(e *env, contender contender) (func(int) error, error) {
	url, err := c.serverURL(e)
	if err != nil {
		return nil, err
	}
	if c.amount > 0 {
		return func(int) error {
			return e.runInChild(
				childOrder{c.fullName(), contender.name, url, profilePath(c.fullName(), contender.name), listedKeys},
			)
		}, nil
	}
	opened, err := contender.open(e, url)
	return func(n int) error { return c.do(e.ctx, opened, n) }, err
}

func (c clientCase) serverURL(e *env) (string, error) {
	switch {
	case c.provider == nil:
		return "", nil
	case c.server == nil:
		return c.provider.address, nil
	}
	return c.provider.server(e, *c.server)
}

// putBy makes a put of an upload.
func putBy(
	upload func(ctx context.Context, key string, body io.Reader, size int64) error,
) func(context.Context, string, []byte) error {
	return func(ctx context.Context, key string, data []byte) error {
		return upload(ctx, key, bytes.NewReader(data), int64(len(data)))
	}
}
