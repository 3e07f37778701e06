package config

import (
	"errors"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/argument"
	"github.com/omnibucket/storage/cmd/omnibucket/internal/location"
	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/layers/diskcache"
	"github.com/omnibucket/storage/layers/limit"
	"github.com/omnibucket/storage/layers/mirror"
	"github.com/omnibucket/storage/layers/overlay"
	"github.com/omnibucket/storage/layers/readonly"
)

// A configured location is an address, or an address with credentials and layers.
type configured struct {
	Address     string  `yaml:"address"`
	Credentials string  `yaml:"credentials"` // a name
	Layers      []Layer `yaml:"layers"`      // from the store outwards
}

// UnmarshalYAML accepts the address alone, too. Unlike a method with a *yaml.Node, it keeps the
// decoder's refusal of unknown fields.
func (c *configured) UnmarshalYAML(unmarshal func(any) error) error {
	if unmarshal(&c.Address) == nil {
		return nil
	}
	type whole configured
	return unmarshal((*whole)(c))
}

// address returns the address with the name of the credentials.
func (c *configured) address() string {
	if c.Credentials == "" {
		return c.Address
	}
	before, fragment, hasFragment := strings.Cut(c.Address, "#")
	separator := "?"
	if strings.Contains(before, "?") {
		separator = "&"
	}
	before += separator + "credentials=" + url.QueryEscape(c.Credentials)
	if hasFragment {
		before += "#" + fragment
	}
	return before
}

// A Layer has exactly one field that is not nil: package layers describes each.
type Layer struct {
	Limit     *Limit     `yaml:"limit"`
	DiskCache *DiskCache `yaml:"diskcache"`
	Encrypt   *Encrypt   `yaml:"encrypt"`
	Mirror    string     `yaml:"mirror"` // the name of the location that is the second store
	Overlay   *Overlay   `yaml:"overlay"`
	ReadOnly  *struct{}  `yaml:"readonly"`
}

// A Limit is the layer limit.
type Limit struct {
	Bytes  string  `yaml:"bytes"` // in the notation of --bwlimit
	Reads  float64 `yaml:"reads"` // a second, as the next two
	Writes float64 `yaml:"writes"`
	Lists  float64 `yaml:"lists"`
}

// A DiskCache is the layer diskcache.
type DiskCache struct {
	Dir   string `yaml:"dir"`
	Max   string `yaml:"max"`   // a size
	Trust string `yaml:"trust"` // a duration
}

// An Overlay is the layer overlay.
type Overlay struct {
	Old        string `yaml:"old"` // the name of the location that is the old store
	CopyOnRead bool   `yaml:"copy_on_read"`
	KeepOld    bool   `yaml:"keep_old"`
	NewOnly    bool   `yaml:"new_only"`
}

// knownLayers are the names of layers in texts.
const knownLayers = "limit, diskcache, encrypt, mirror, overlay and readonly"

// Name returns the name of the layer, or "" if there is none or more than one.
func (l Layer) Name() string {
	name := ""
	for candidate, given := range map[string]bool{
		"limit": l.Limit != nil, "diskcache": l.DiskCache != nil, "encrypt": l.Encrypt != nil,
		"mirror": l.Mirror != "", "overlay": l.Overlay != nil, "readonly": l.ReadOnly != nil,
	} {
		if given && name != "" {
			return ""
		}
		if given {
			name = candidate
		}
	}
	return name
}

// Other returns the name of the location that is the other one of two stores, or "".
func (l Layer) Other() string {
	if l.Overlay != nil {
		return l.Overlay.Old
	}
	return l.Mirror
}

// check refuses values that no layer has, without opening it.
func (l Layer) check() error {
	switch l.Name() {
	case "limit":
		_, err := l.newLimit()
		return err
	case "diskcache":
		_, err := l.cacheConfig()
		return err
	case "encrypt":
		_, err := l.Encrypt.check()
		return err
	case "mirror":
		if !location.NameForm.MatchString(l.Mirror) {
			return argument.Invalid("mirror must be the name of a location", "")
		}
		return nil
	case "overlay":
		if !location.NameForm.MatchString(l.Overlay.Old) {
			return argument.Invalid("overlay: old must be the name of a location", "")
		}
		return nil
	case "readonly":
		return nil
	}
	return argument.Invalid("each of the layers must have one name of "+knownLayers, `write "- readonly: {}"`)
}

// New returns the layer, and what to close after the bucket, or nil. lookup reads a variable of the
// environment, and open opens a location.
func (l Layer) New(
	lookup func(name string) (value string, set bool), open func(name string) (storage.Bucket, error),
) (driver.Layer, io.Closer, error) {
	switch {
	case l.Limit != nil:
		layer, err := l.newLimit()
		return layer, nil, err
	case l.DiskCache != nil:
		c, err := l.cacheConfig()
		if err != nil {
			return nil, nil, err
		}
		cache, err := diskcache.Open(l.DiskCache.Dir, c)
		if err != nil {
			return nil, nil, err
		}
		return cache.Layer(), cache, nil
	case l.Encrypt != nil:
		layer, err := l.Encrypt.new(lookup)
		return layer, nil, err
	case l.Other() != "":
		other, err := open(l.Other())
		if err != nil {
			return nil, nil, err
		}
		layer, err := l.newOver(other)
		return layer, openBucket{other}, err
	}
	return readonly.New(readonly.Config{}), nil, nil
}

// An openBucket is closed after the bucket with the layer.
type openBucket struct{ storage.Bucket }

func (b openBucket) Close() error { return storage.Close(b.Bucket) }

// newOver returns the layer of two stores, one of which is other.
func (l Layer) newOver(other storage.Bucket) (driver.Layer, error) {
	if l.Overlay != nil {
		return overlay.New(
			other,
			overlay.Config{CopyOnRead: l.Overlay.CopyOnRead, KeepOld: l.Overlay.KeepOld, NewOnly: l.Overlay.NewOnly},
		)
	}
	return mirror.New(other, mirror.Config{})
}

func (l Layer) newLimit() (driver.Layer, error) {
	c := limit.Config{Requests: limit.Requests{Reads: l.Limit.Reads, Writes: l.Limit.Writes, Lists: l.Limit.Lists}}
	if l.Limit.Bytes != "" {
		var err error
		if c.Bytes, err = limit.Parse(l.Limit.Bytes); err != nil {
			return nil, ruleOf("limit: ", err)
		}
	}
	layer, err := limit.New(c)
	return layer, ruleOf("limit: ", err)
}

func (l Layer) cacheConfig() (c diskcache.Config, err error) {
	if !filepath.IsAbs(l.DiskCache.Dir) {
		return c, argument.Invalid("diskcache: dir must be an absolute path", "")
	}
	c.Unpinned = true // commands, browsers and clients of S3 name no revision
	if l.DiskCache.Max != "" {
		if c.MaxBytes, err = argument.ParseSize("diskcache: max", l.DiskCache.Max); err != nil {
			return c, err
		}
	}
	if l.DiskCache.Trust != "" {
		c.TrustFor, err = argument.ParseDuration("diskcache: trust", l.DiskCache.Trust)
	}
	return c, err
}

// ruleOf returns the error of a layer as an error of the configuration.
func ruleOf(layer string, err error) error {
	if failed, ok := errors.AsType[*storage.Error](err); ok {
		return argument.Invalid(layer+failed.Err.Error(), "")
	}
	return err
}
