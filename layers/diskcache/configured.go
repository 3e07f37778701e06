package diskcache

import (
	"context"
	"io"
	"path/filepath"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/quantity"
)

func init() { driver.RegisterLayer("diskcache", configure) }

// configure reads the part of a configuration file that belongs to the layer. It sets Unpinned,
// because a bucket in a configuration file is often read by browsers and clients of S3, which name
// no revision.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	var given struct {
		Dir   string `yaml:"dir"`
		Max   string `yaml:"max"`   // a size
		Trust string `yaml:"trust"` // a duration
	}
	if err := settings(&given); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(given.Dir) {
		return nil, invalid("dir must be an absolute path", "")
	}
	c := Config{Unpinned: true}
	var err error
	if given.Max != "" {
		if c.MaxBytes, err = quantity.Size("max", given.Max); err != nil {
			return nil, err
		}
	}
	if given.Trust != "" {
		if c.TrustFor, err = quantity.Duration("trust", given.Trust); err != nil {
			return nil, err
		}
	}
	return &driver.ConfiguredLayer{
		Directory: given.Dir,
		Open: func(context.Context, driver.LayerParts) (driver.Layer, io.Closer, error) {
			cache, err := Open(given.Dir, c)
			if err != nil {
				return nil, nil, err
			}
			return cache.Layer(), cache, nil
		},
	}, nil
}
