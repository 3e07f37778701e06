package storage

import (
	"context"
	"io"
	"slices"
)

// Compose makes one object of several in the same bucket, in order: on the
// server's side where the provider can, else by streaming. Options say its
// attributes; the default content type is by dstKey's extension, else the first
// source's. Every source is pinned to one revision (Changed), and may be dstKey
// itself.
func Compose(ctx context.Context, b interface {
	Uploader
	Downloader
}, dstKey string, srcKeys []string, opts ...CopyOption) (*Attrs, error) {
	c := &composing{srcKeys: slices.Clone(srcKeys)}
	c.opts = opts
	err := c.req.apply(opts)
	if err == nil && (len(srcKeys) == 0 || c.req.set.version) {
		err = invalid("srcKeys", "must name at least one object, and options no version")
	}
	own, ok := b.(*bucket)
	if !ok {
		if err != nil {
			return nil, located(b, "Compose", dstKey, ownError(err))
		}
		return c.streamTo(ctx, b, b, dstKey)
	}
	e := c.openCompose(own, dstKey, err)
	if e == nil {
		ctx, e = c.begin(ctx)
	}
	if e != nil {
		return nil, c.end(e)
	}
	a, e := c.runCompose(ctx)
	if e != nil {
		return nil, c.end(e)
	}
	return a, c.end(nil)
}

// composing is one call of Compose.
type composing struct {
	copying
	srcKeys []string // whole, once opened
	sources []*Attrs
}

func (c *composing) openCompose(b *bucket, key string, bad error) *Error {
	e := c.open(b, key, bad)
	c.name = "Compose"
	if e != nil {
		return e
	}
	if e := c.prepare(b, mayUpload|mayDownload, "Compose", key); e != nil {
		return e
	}
	for i, key := range c.srcKeys {
		c.srcKeys[i] = b.prefix + key
		if e := checkReadKey(c.srcKeys[i]); e != nil {
			return e
		}
	}
	c.keys = c.srcKeys
	return nil
}

func (c *composing) runCompose(ctx context.Context) (*Attrs, *Error) {
	if e := c.look(ctx); e != nil {
		return nil, e
	}
	if c.req.ContentType == "" {
		c.req.ContentType = contentType("", c.key, func() []byte { return nil })
		if typeByExtension(c.key) == "" && c.sources[0].ContentType != "" {
			c.req.ContentType = c.sources[0].ContentType
		}
	}
	if c.core.has(ServerCompose) {
		a, e := c.composeOnServer(ctx)
		if e == nil || e.Code != Unsupported {
			return a, e
		}
	}
	return c.composeHere(ctx)
}

// look pins every source to what it is now.
func (c *composing) look(ctx context.Context) *Error {
	c.sources = make([]*Attrs, len(c.srcKeys))
	failed := make([]*Error, len(c.srcKeys))
	atOnce(len(c.srcKeys), func(i int) error {
		failed[i] = c.call(ctx, func(ctx context.Context) (err error) {
			c.sources[i], err = c.core.driver.Head(ctx, &GetRequest{Key: c.srcKeys[i], Length: -1})
			return err
		})
		return nil
	})
	for i, e := range failed {
		if e != nil {
			return c.sourceFailed(e, i)
		}
	}
	return nil
}

// sourceFailed is an error that names the source.
func (c *composing) sourceFailed(e *Error, i int) *Error {
	of := operation{core: c.core, name: c.name, key: c.srcKeys[i], prefix: c.prefix}
	return ownError(of.end(e))
}

func (c *composing) composeOnServer(ctx context.Context) (*Attrs, *Error) {
	r := &ComposeRequest{Key: c.key, Properties: c.req.Properties, PublicRead: c.req.PublicRead, Condition: c.req.Condition, Native: c.req.Native}
	var size int64
	var crc uint32
	known := true
	for i, key := range c.srcKeys {
		ref := c.core.driver.Locate(key)
		ref.Revision, ref.Attrs = c.sources[i].Revision, c.sources[i]
		r.Sources = append(r.Sources, ref)
		if sum := c.sources[i].CRC32C; sum != nil {
			crc = joinCRC(crc, *sum, c.sources[i].Size)
		} else {
			known = false
		}
		size += c.sources[i].Size
	}
	if c.req.Condition != (Condition{}) {
		c.identify()
	}
	r.Metadata = c.core.stored(c.req.Metadata, c.writeID)
	if r.Size = size; known {
		r.CRC32C = &crc
	}
	var a *Attrs
	e := c.call(ctx, func(ctx context.Context) (err error) {
		a, err = c.core.driver.Compose(ctx, r)
		return err
	})
	if e != nil {
		if e.Code == ObjectNotFound {
			e.Code = Changed
		}
		if a, e = c.settle(ctx, e, r.Condition, c.writeID); e != nil {
			return nil, e
		}
		return c.present(a), nil
	}
	a.Size, a.Properties = size, c.req.Properties
	if a.CRC32C == nil {
		a.CRC32C = r.CRC32C
	}
	return c.presentWritten(a), nil
}

// composeHere streams the sources, one after the other, into one upload.
func (c *composing) composeHere(ctx context.Context) (*Attrs, *Error) {
	var size int64
	for _, source := range c.sources {
		size += source.Size
	}
	body := &joinedBody{open: func(i int) (io.ReadCloser, error) {
		if i == len(c.srcKeys) {
			return nil, io.EOF
		}
		d := &download{operation: operation{core: c.core, name: c.name, key: c.srcKeys[i], prefix: c.prefix}}
		return d.pinned(ctx, c.sources[i].Revision)
	}}
	defer body.close()
	u := &c.upload
	u.writeID = ""
	u.req = PutRequest{Key: c.key, Size: size, Properties: c.req.Properties, Condition: c.req.Condition, PublicRead: c.req.PublicRead, Native: c.req.Native}
	u.req.set.concurrency, u.req.set.progress, u.req.set.journal = c.req.set.concurrency, c.req.set.progress, c.req.set.journal
	if e := u.src.init(body, size); e != nil {
		return nil, e
	}
	a, e := u.store(ctx)
	if body.failed != nil && e != nil && e.Code == BodyFailed {
		e = sourceFailed(ctx, body.failed)
	}
	return a, e
}

// pinned opens a whole object at one revision, within another operation.
func (d *download) pinned(ctx context.Context, revision string) (io.ReadCloser, error) {
	d.ctx = ctx
	d.req = GetRequest{Key: d.key, Length: -1, Condition: Condition{Revision: revision}}
	r := &Reader{}
	if e := d.open(r); e != nil {
		if e.Code == PreconditionFailed || e.Code == ObjectNotFound {
			e.Code = Changed
		}
		return nil, d.fail(e)
	}
	return d, nil
}

// streamTo streams between the methods of a bucket that is not ours.
func (c *composing) streamTo(ctx context.Context, dst Uploader, src Downloader, key string) (*Attrs, error) {
	first, err := src.Download(ctx, c.srcKeys[0])
	if err != nil {
		return nil, err
	}
	var opts []UploadOption
	if typeByExtension(key) == "" && c.req.ContentType == "" {
		kind := first.Attrs().ContentType
		opts = append(opts, propertyOption(0, func(p *Properties) { p.ContentType = kind }))
	}
	body := &joinedBody{open: func(i int) (io.ReadCloser, error) {
		switch i {
		case 0:
			return first, nil
		case len(c.srcKeys):
			return nil, io.EOF
		}
		return src.Download(ctx, c.srcKeys[i])
	}}
	defer body.close()
	a, err := dst.Upload(ctx, key, body, append(opts, c.givenOptions()...)...)
	if body.failed != nil && (err == nil || CodeOf(err) == BodyFailed) {
		return nil, located(dst, "Compose", key, sourceFailed(ctx, body.failed))
	}
	return a, err
}

// A joinedBody reads one source after the other, each opened when its turn
// comes; open answers io.EOF behind the last.
type joinedBody struct {
	open    func(i int) (io.ReadCloser, error)
	next    int
	current io.ReadCloser
	failed  error // of a source
}

func (b *joinedBody) Read(p []byte) (int, error) {
	for {
		if b.current == nil {
			source, err := b.open(b.next)
			if err == io.EOF {
				return 0, io.EOF
			}
			if err != nil {
				b.failed = err
				return 0, err
			}
			b.current = source
			b.next++
		}
		n, err := b.current.Read(p)
		if err == io.EOF {
			b.close()
			if n == 0 {
				continue
			}
			err = nil
		}
		if err != nil {
			b.failed = err
		}
		return n, err
	}
}

func (b *joinedBody) close() {
	if b.current != nil {
		_ = b.current.Close()
		b.current = nil
	}
}
