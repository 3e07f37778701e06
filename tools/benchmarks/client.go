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

// A provider is one of the compared stores. In the table of cases, each clientCase names its
// provider.
type provider struct {
	name    string             // prefix of case names, and name of the child process that runs the null server
	service nullserver.Service // protocol of its null server
	address string             // address for cases that only sign URLs, and so need no server
	open    func(ctx context.Context, server string, opts ...storage.OpenOption) (storage.Bucket, error)
}

var (
	amazon    = &provider{"s3", nulls3.Service{}, "https://s3.us-east-1.amazonaws.com", openS3}
	google    = &provider{"gcs", nullgcs.Service{}, "", openGCS}
	microsoft = &provider{"azure", nullazure.Service{}, "http://127.0.0.1:10000", openAzure}

	// unknown uses the same server as amazon, but opens its bucket without a profile.
	unknown = &provider{"s3", nulls3.Service{}, "", openUnknownS3}
)

type (
	putFunc    func(ctx context.Context, key string, data []byte) error
	uploadFunc func(ctx context.Context, key string, body io.Reader, size int64) error // size is -1 if unknown
)

// A client holds the operations on a bucket with one library. An operation that no case with this
// library needs is nil.
type client struct {
	put    putFunc
	upload uploadFunc
	open   func(ctx context.Context, key string) (io.ReadCloser, error)
	get    func(ctx context.Context, key string, buffer []byte) error                // if nil, open is used instead
	read   func(ctx context.Context, key string, size int64) (read int64, err error) // if nil, open is used instead
	file   func(ctx context.Context, key, name string) error
	list   func(ctx context.Context, prefix string, each func()) error
	sign   func(ctx context.Context, key string) error
	random func(ctx context.Context, key string) (randomAccess, error)
	ranges func(ctx context.Context, key string, ranges []storage.Range) error // reads into memory
	bucket storage.Bucket                                                      // nil for other libraries
}

// A randomAccess is an open object that can be read at any offset.
type randomAccess interface {
	io.ReaderAt
	io.Closer
}

// A contender is a library to compare. open connects it to a server.
type contender struct {
	name string
	open func(e *env, server string) (client, error)
	once bool // see row.once
}

func (c contender) onlyOnce() contender {
	c.once = true
	return c
}

// again returns a contender of the given name that has downloaded a file of n bytes before it is measured.
func (c contender) again(name string, n int) contender {
	return contender{
		name: name,
		open: func(e *env, server string) (client, error) {
			connected, err := c.open(e, server)
			if err != nil {
				return client{}, err
			}
			return connected, downloadFile(e.ctx, connected, n)
		},
	}
}

// beside returns a contender that shows how much the downloads of c slow another client. The other
// contender downloads an object to a file, and only this download is measured. Meanwhile, c downloads
// the same object to a second file, again and again. The row has the name of c.
func (c contender) beside(measured contender) contender {
	return contender{
		name: c.name,
		open: func(e *env, server string) (client, error) {
			otherClient, err := c.open(e, server)
			if err != nil {
				return client{}, err
			}
			measuredClient, err := measured.open(e, server)
			if err != nil {
				return client{}, err
			}
			return client{file: busyDownload{measured: measuredClient, other: otherClient}.file}, nil
		},
	}
}

// A busyDownload has the measured client, and the client that downloads meanwhile.
type busyDownload struct{ measured, other client }

func (d busyDownload) file(ctx context.Context, key, name string) error {
	busy, cancel := context.WithCancel(ctx)
	var again sync.WaitGroup
	again.Go(func() {
		for busy.Err() == nil {
			_ = d.other.file(busy, key, name+".other")
		}
	})
	defer again.Wait()
	defer cancel()
	return d.measured.file(ctx, key, name)
}

// A tuning sets options of this library. The zero value of a field selects the default.
type tuning struct {
	memory      int64
	concurrency int
	stream      bool // true if the bodies of put have an unknown length
	hedged      bool // true to use hedged reads
	encrypted   bool // true to encrypt objects with layers/encrypt
}

// ours returns this library as a contender with the given name and options.
func (p *provider) ours(name string, t tuning) contender {
	return contender{
		name: name,
		open: func(e *env, server string) (client, error) {
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
		},
	}
}

// client returns a client that calls the bucket b of this library with the options of t.
func (t tuning) client(b storage.Bucket) client {
	uploadOptions := []storage.UploadOption{storage.WithContentType(contentType)}
	var downloadOptions []storage.DownloadOption
	if t.concurrency > 0 {
		uploadOptions = append(uploadOptions, storage.WithConcurrency(t.concurrency))
		downloadOptions = append(downloadOptions, storage.WithConcurrency(t.concurrency))
	}

	s := own{b, uploadOptions}
	c := client{
		put:    s.put,
		upload: func(ctx context.Context, key string, body io.Reader, _ int64) error { return s.upload(ctx, key, body) },
		open: func(ctx context.Context, key string) (io.ReadCloser, error) {
			return b.Download(ctx, key, downloadOptions...)
		},
		file: func(ctx context.Context, key, name string) error {
			_, err := storage.DownloadFile(ctx, b, key, name, downloadOptions...)
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
	return contender{
		name: name,
		open: func(e *env, server string) (client, error) {
			s, err := open(e.ctx, server)
			if err != nil {
				return client{}, err
			}
			return client{
				put:    s.put,
				upload: func(ctx context.Context, key string, body io.Reader, _ int64) error { return s.upload(ctx, key, body) },
				open: func(ctx context.Context, key string) (io.ReadCloser, error) {
					return s.bucket.NewReader(ctx, key, nil)
				},
				list: s.list,
			}, nil
		},
	}
}

// A clientCase is a row in the table of cases. It compares several contenders on one provider.
type clientCase struct {
	provider    *provider // nil if the case needs no provider
	name, title string    // the prefix for the provider is not part of name
	server      *nullserver.Options
	do          work
	contenders  []contender
	goals       []goal
	grows       *growth // set if the case is a point of a curve over several sizes

	// If amount is above 0, each contender runs in a child process, and does that amount of work
	// once.
	amount int
	// If heap is true, the peak of the child's heap is measured in place of its resident memory.
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
		all.rows = append(all.rows, row{
			name:   contender.name,
			setup:  func(e *env) (opFunc, error) { return c.setup(e, contender) },
			once:   contender.once || c.heap,
			single: c.amount > 0,
		})
	}
	return all
}

// setup returns the op of a contender. If the case measures one amount of work, the op runs in a child
// process. Otherwise this process opens the contender, and the op runs here.
func (c clientCase) setup(e *env, contender contender) (opFunc, error) {
	url, err := c.serverURL(e)
	if err != nil {
		return nil, err
	}
	if c.amount > 0 {
		order := childOrder{
			Case:       c.fullName(),
			Contender:  contender.name,
			URL:        url,
			Profile:    profilePath(c.fullName(), contender.name),
			ListedKeys: listedKeys,
		}
		return func(int) error { return e.runInChild(order) }, nil
	}

	connected, err := contender.open(e, url)
	if err != nil {
		return nil, err
	}
	return func(n int) error { return c.do(e.ctx, connected, n) }, nil
}

func (c clientCase) serverURL(e *env) (string, error) {
	if c.provider == nil {
		return "", nil
	}
	if c.server == nil {
		return c.provider.address, nil
	}
	return c.provider.server(e, *c.server)
}

// putBy returns a function that uploads a byte slice. It passes the bytes to the given upload
// function as an io.Reader.
func putBy(upload uploadFunc) putFunc {
	return func(ctx context.Context, key string, data []byte) error {
		return upload(ctx, key, bytes.NewReader(data), int64(len(data)))
	}
}
