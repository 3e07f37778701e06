package serving

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/program"
	"github.com/omnibucket/storage/engine"
	"github.com/omnibucket/storage/internal/webserver"
	"github.com/omnibucket/storage/serve"
	"github.com/omnibucket/storage/serve/console"
)

// patience is the longest wait for the settings of a bucket. After that, the page is shown without
// them.
const patience = 5 * time.Second

// uiFlags are the flags of serve for the web page.
type uiFlags struct{ ui, write bool }

func (f *uiFlags) register(c *cobra.Command) {
	c.Flags().BoolVar(&f.ui, "ui", false, "serve a page with which people look into the bucket or folder")
	c.Flags().BoolVar(&f.write, "write", false, "with --ui: offer to upload, rename, remove and restore")
}

// check refuses combinations of flags that have no meaning.
func (f *uiFlags) check(c *cobra.Command) error {
	isSet := c.Flags().Changed
	if f.write && !f.ui {
		return argument.Invalid("--write must be used with --ui", "")
	}
	if f.ui && isSet("listing") {
		return argument.Invalid("--ui must not be used with --listing", "")
	}
	if f.ui && (isSet("s3") || isSet("health")) {
		return argument.Invalid(
			"--ui must not be used with --s3: that server has the same page, at --console-address",
			"",
		)
	}
	if f.write && isSet("read-only") {
		return argument.Invalid("--write must not be used with --read-only", "")
	}
	return nil
}

// serveUI serves the web page of a bucket, a folder or an account until ctx is done.
func serveUI(ctx context.Context, p *program.Program, text, listen string, write bool, names []string) (err error) {
	p.Stores.ReadOnly = !write
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", listen)
	if err != nil {
		return err
	}
	defer listener.Close()

	base := "http://" + addressFor(listener.Addr(), names)
	shown, err := openForUI(ctx, p, text, base)
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, shown.close())
	}()

	// A person who knows the token, which is a part of the page's URL, may use the page.
	config := console.Config{Title: shown.title, Write: write && !shown.readOnly, Token: rand.Text(), Hosts: names}
	// The bytes of objects have an origin of their own, which the page does not trust, if that is possible.
	content, err := listenForContent(ctx, listener.Addr())
	if err != nil {
		return err
	}
	if content != nil {
		defer content.Close()
		config.ContentURL = "http://" + content.Addr().String()
	}

	page, err := console.New(shown.source, config)
	if err != nil {
		return err
	}
	var handler http.Handler = page
	if shown.signedHandler != nil {
		handler = routeMount(defaultMount, shown.signedHandler, page)
	}

	p.PrintURL(base + "/" + config.Token + "/")
	err = serveBoth(ctx, listener, handler, content, page.Content())

	// Now ctx may be done, so Close gets a limit of its own.
	closeCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
	defer cancel()
	return errors.Join(err, page.Close(closeCtx))
}

// addressFor returns the host and port in the page's URL. If other machines can connect, the host is
// the first name of --domain, if it is set, so that links work there as well.
func addressFor(listening net.Addr, names []string) string {
	// names has the name of this machine, and then those of --domain.
	if addr, ok := listening.(*net.TCPAddr); ok && addr.IP.IsUnspecified() && len(names) > 1 {
		return net.JoinHostPort(names[1], strconv.Itoa(addr.Port))
	}
	return webserver.ReachableAddress(listening)
}

// A target is the bucket or account that the web page shows.
type target struct {
	source        console.Source
	title         string
	readOnly      bool
	signedHandler http.Handler // serves signed URLs; nil if the store itself serves them
	close         func() error
}

// openForUI opens the bucket or account that text names.
func openForUI(ctx context.Context, p *program.Program, text, base string) (*target, error) {
	l, err := p.Stores.Locate(text)
	if err != nil {
		return nil, err
	}

	// The page of an account shows all its buckets.
	if l.Kind == location.Account {
		account, err := openAccount(ctx, p, text)
		if err != nil {
			return nil, err
		}
		service := engine.NewService(account)
		return &target{
			source:   console.Account(service),
			title:    nameOf(l),
			readOnly: p.Stores.IsReadOnly(l),
			close:    service.Close,
		}, nil
	}

	// Anything else is a bucket, or a folder in one.
	if l, err = p.Stores.LocateServed(text); err != nil {
		return nil, err
	}

	info := infoOf(ctx, p, l)
	files, signed, err := openFolderForUI(ctx, p, l, base, info.Versioning)
	if err != nil {
		return nil, err
	}
	return &target{
		source:        console.One(info, files),
		readOnly:      p.Stores.IsReadOnly(l),
		signedHandler: signed,
		// The program closes its buckets.
		close: func() error { return nil },
	}, nil
}

// nameOf returns the name that the page shows for a location. Others may see the page, so the name
// has only the last part of a directory's path and no parameters of an address.
func nameOf(l location.Location) string {
	if l.Name != "" {
		return l.Name + ":" + l.Key
	}
	if l.Scheme == "file" {
		return path.Base(l.Dir + "/" + l.Prefix + l.Key)
	}
	address, _, _ := strings.Cut(l.Address(), "?")
	return strings.TrimSuffix(address+"#"+l.Prefix+l.Key, "#")
}

// openFolderForUI opens a folder, and a handler for signed URLs of its bucket if this program must
// serve them. A read-only page of a directory has no such handler, because the first signed URL would
// write a signing key into the directory.
func openFolderForUI(
	ctx context.Context, p *program.Program, l location.Location, base string, versions bool,
) (files storage.Bucket, signed http.Handler, err error) {
	var opts []storage.OpenOption
	if versions {
		opts = append(opts, storage.WithVersioning(true))
	}

	// Open the whole bucket with the options first. OpenServed then finds it open, and opens the folder in it.
	wholeBucket := l
	wholeBucket.Prefix = ""
	wholeBucket.Key = ""
	isReadOnlyDirectory := p.Stores.ReadOnly && l.Scheme == "file"
	if isReadOnlyDirectory {
		_, err = p.Stores.Open(ctx, wholeBucket, opts...)
	} else {
		signed, err = openSigned(ctx, p, wholeBucket, base, opts...)
	}
	if err != nil {
		return nil, nil, err
	}

	// A folder that cannot be listed may still be readable, so the second result is ignored.
	files, _, err = p.Stores.OpenServed(ctx, l)
	return files, signed, err
}

// openSigned opens a bucket and returns a handler for its signed URLs, or nil if this program need
// not serve them.
func openSigned(
	ctx context.Context, p *program.Program, l location.Location, base string, opts ...storage.OpenOption,
) (http.Handler, error) {
	bucket, _, isOwn, err := openSigning(ctx, p, l, base, opts...)
	if err != nil || isOwn {
		return nil, err
	}
	return serve.NewHandler(bucket), nil
}

// infoOf returns what the store says about its bucket. Without an answer, it returns only the name.
func infoOf(ctx context.Context, p *program.Program, l location.Location) storage.BucketInfo {
	info := storage.BucketInfo{Name: nameOf(l)}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()

	// Only the whole bucket has settings.
	l.Prefix = ""
	l.Key = ""

	// The page needs none of these settings, so an error does not matter.
	_ = p.Stores.UseService(ctx, l, func(s storage.Service, bucket string) error {
		settings, err := s.BucketInfo(ctx, bucket)
		if settings != nil {
			info.Versioning = settings.Versioning
			info.SoftDelete = settings.SoftDelete
		}
		return err
	})
	return info
}

// listenForContent listens at a second port for the bytes of objects, which gives them another origin
// than the page. It returns nil unless the page is at an IPv4 loopback address: other machines may
// use host names that are not known, and a content policy cannot name an IPv6 address.
func listenForContent(ctx context.Context, page net.Addr) (net.Listener, error) {
	addr, ok := page.(*net.TCPAddr)
	if !ok || !addr.IP.IsLoopback() || addr.IP.To4() == nil {
		return nil, nil
	}
	return (&net.ListenConfig{}).Listen(ctx, "tcp", net.JoinHostPort(addr.IP.String(), "0"))
}

// serveBoth serves the page at listener and, unless content is nil, the bytes of objects at content. If one of the
// servers fails, the other ends too.
func serveBoth(
	ctx context.Context, listener net.Listener, page http.Handler, content net.Listener, contentHandler http.Handler,
) error {
	if content == nil {
		return webserver.Serve(ctx, listener, page)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	contentErr := make(chan error, 1)
	go func() {
		defer cancel()
		contentErr <- webserver.Serve(ctx, content, contentHandler)
	}()

	err := webserver.Serve(ctx, listener, page)
	cancel()
	return errors.Join(err, <-contentErr)
}
