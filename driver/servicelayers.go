package driver

import "context"

// ServiceWithLayers returns an account whose buckets have layers, from the store outwards: a server
// over it, such as that of package s3server, then gives them to every program. Private objects of a
// [PrivateDriver] have the layers, too. Creating and removing buckets does not pass them.
func ServiceWithLayers(s ServiceDriver, layers ...Layer) ServiceDriver {
	if len(layers) == 0 {
		return s
	}
	layered := &layeredService{s, layers}
	if private, ok := s.(PrivateDriver); ok {
		return struct {
			ServiceDriver
			PrivateDriver
		}{layered, &layeredPrivate{private, layers}}
	}
	return layered
}

type layeredService struct {
	ServiceDriver
	layers []Layer
}

func (s *layeredService) Driver(name string) (Driver, error) {
	return around(s.layers)(s.ServiceDriver.Driver(name))
}

// layeredPrivate keeps objects beside those of a bucket, through the same layers.
type layeredPrivate struct {
	inner  PrivateDriver
	layers []Layer
}

func (p *layeredPrivate) PrivateDriver(ctx context.Context, bucket string, create bool) (Driver, error) {
	return around(p.layers)(p.inner.PrivateDriver(ctx, bucket, create))
}

func around(layers []Layer) func(Driver, error) (Driver, error) {
	return func(d Driver, err error) (Driver, error) {
		if err != nil {
			return nil, err
		}
		for _, layer := range layers {
			d = layer(d)
		}
		return d, nil
	}
}
