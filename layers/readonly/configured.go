package readonly

import (
	"context"
	"io"

	"github.com/omnibucket/storage/driver"
)

func init() { driver.RegisterLayer("readonly", configure) }

// configure reads the layer's part of a configuration file, in which the layer has no settings.
func configure(settings driver.LayerSettings) (*driver.ConfiguredLayer, error) {
	if err := settings(&struct{}{}); err != nil {
		return nil, err
	}
	return &driver.ConfiguredLayer{
		Open: func(context.Context, driver.LayerParts) (driver.Layer, io.Closer, error) {
			return New(Config{}), nil, nil
		},
	}, nil
}
