package mirror

import (
	"context"
	"io"

	"github.com/omnibucket/storage/driver"
)

func init() { driver.RegisterLayer("mirror", configure) }

// configure reads the layer's part of a configuration file: the name of the location that is the second
// store.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	var second string
	if err := settings(&second); err != nil {
		return nil, err
	}
	if second == "" {
		return nil, invalid("", "mirror must name the location of the second store")
	}
	return &driver.ConfiguredLayer{
		Other: second,
		Open: func(_ context.Context, p driver.LayerParts) (driver.Layer, io.Closer, error) {
			layer, err := New(p.Other, Config{})
			return layer, nil, err
		},
	}, nil
}
