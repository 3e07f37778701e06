package pagetest

import (
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// A scene holds the colors of a picture of a landscape: the top and the bottom of the sky, the sun,
// and the nearest hills.
type scene struct{ top, bottom, sun, near color.RGBA }

var scenes = []scene{
	{rgb(0x2b4c8c), rgb(0xf6c6a0), rgb(0xfff1cf), rgb(0x1c2b3f)},
	{rgb(0x6fb7e8), rgb(0xe9f5fb), rgb(0xffffff), rgb(0x1f5a3c)},
	{rgb(0x3a1f4f), rgb(0xf08a5d), rgb(0xffd9a0), rgb(0x24122f)},
	{rgb(0x8fc7c2), rgb(0xfaf3dd), rgb(0xfffdf2), rgb(0x2f5d62)},
	{rgb(0x0d1b3d), rgb(0x4a6aa5), rgb(0xf4f6ff), rgb(0x0a1226)},
	{rgb(0xf2b5b0), rgb(0xfdf0e4), rgb(0xffffff), rgb(0x6b3f52)},
}

// rgb returns the color 0xRRGGBB.
func rgb(v uint32) color.RGBA { return color.RGBA{uint8(v >> 16), uint8(v >> 8), uint8(v), 255} }

// Landscapes writes a picture for each name to dir, for use in screenshots, and returns their
// paths.
func Landscapes(t *testing.T, dir string, names ...string) []string {
	t.Helper()
	var paths []string
	for i, name := range names {
		path := filepath.Join(dir, name)
		f, err := os.Create(path)
		require.NoError(t, err)
		require.NoError(t, jpeg.Encode(f, landscape(1200, 900, i), &jpeg.Options{Quality: 92}))
		require.NoError(t, f.Close())
		paths = append(paths, path)
	}
	return paths
}

// landscape draws a sky with a sun and five ranges of hills, which differ with the number.
func landscape(width, height, number int) image.Image {
	colors := scenes[number%len(scenes)]
	const seed = 7
	random := rand.New(rand.NewPCG(uint64(number), seed))
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	drawSky(img, colors, random)

	// The ranges are drawn one before the other, from the farthest to the nearest.
	const (
		ranges   = 5
		farthest = 0.5  // height of its line, as a share of the picture's height from the top
		distance = 0.11 // between two lines
	)
	for i := range ranges {
		nearness := float64(i) / (ranges - 1) // 0 for the farthest range, 1 for the nearest
		hill := mix(colors.bottom, colors.near, 0.25+0.75*nearness)
		drawHills(img, hill, farthest+distance*float64(i), random)
	}
	return img
}

// drawSky fills the picture with a sky, and draws a sun with a glow at a random place.
func drawSky(img *image.RGBA, colors scene, random *rand.Rand) {
	width := float64(img.Rect.Dx())
	height := float64(img.Rect.Dy())

	// The sun is in the upper half, and not at the edges.
	sunX := width * (0.2 + 0.6*random.Float64())
	sunY := height * (0.25 + 0.2*random.Float64())
	radius := height * 0.07

	for y := range img.Rect.Dy() {
		sky := mix(colors.top, colors.bottom, float64(y)/height*1.3)
		for x := range img.Rect.Dx() {
			distance := math.Hypot(float64(x)-sunX, float64(y)-sunY)
			glow := 0.55 * math.Exp(-distance/height*4)
			isSun := distance < radius
			if isSun {
				glow = 1
			}
			img.SetRGBA(x, y, mix(sky, colors.sun, glow))
		}
	}
}

// drawHills fills the picture below a random line, a sum of three sine waves around base, which is
// a share of the height from the top.
func drawHills(img *image.RGBA, hill color.RGBA, base float64, random *rand.Rand) {
	width := float64(img.Rect.Dx())
	height := float64(img.Rect.Dy())

	// The first wave is the longest and highest.
	var waves [3]struct{ frequency, phase float64 }
	for i := range waves {
		waves[i].frequency = float64(i*2+1) * (0.6 + random.Float64())
		waves[i].phase = 2 * math.Pi * random.Float64()
	}

	for x := range img.Rect.Dx() {
		top := height * base
		for i, wave := range waves {
			amplitude := height * 0.07 / float64(i+1)
			top += amplitude * math.Sin(2*math.Pi*wave.frequency*float64(x)/width+wave.phase)
		}
		for y := max(0, int(top)); y < img.Rect.Dy(); y++ {
			img.SetRGBA(x, y, hill)
		}
	}
}

// mix returns a mixture of two colors, from a for a share of 0 to b for a share of 1.
func mix(a, b color.RGBA, share float64) color.RGBA {
	share = min(1, max(0, share))
	between := func(x, y uint8) uint8 { return uint8(float64(x) + (float64(y)-float64(x))*share) }
	return color.RGBA{between(a.R, b.R), between(a.G, b.G), between(a.B, b.B), 255}
}
