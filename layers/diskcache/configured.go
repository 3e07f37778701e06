package diskcache

import (
	"context"
	"io"
	"path/filepath"

	"github.com/omnibucket/storage/driver"
	"github.com/omnibucket/storage/internal/argument"
)

func init() { driver.RegisterLayer("diskcache", configure) }

// configure reads the layer's part of a configuration file. It sets Unpinned, because browsers and
// clients of S3, which often read such a bucket, name no revision.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	var params struct {
		Dir   string `yaml:"dir"`
		Max   string `yaml:"max"`   // a size
		Trust string `yaml:"trust"` // a duration
	}
	if err := settings(&params); err != nil {
		return nil, err
	}
	if !filepath.IsAbs(params.Dir) {
		return nil, invalid("dir must be an absolute path", "")
	}

	// A setting that is "" keeps its default.
	c := Config{Unpinned: true}
	if params.Max != "" {
		maxBytes, err := argument.Size("max", params.Max)
		if err != nil {
			return nil, err
		}
		c.MaxBytes = maxBytes
	}
	if params.Trust != "" {
		trustFor, err := argument.Duration("trust", params.Trust)
		if err != nil {
			return nil, err
		}
		c.TrustFor = trustFor
	}

	return &driver.ConfiguredLayer{
		Directory: params.Dir,
		Open: func(context.Context, driver.LayerParts) (driver.Layer, io.Closer, error) {
			cache, err := Open(params.Dir, c)
			if err != nil {
				return nil, nil, err
			}
			return cache.Layer(), cache, nil
		},
	}, nil
}
