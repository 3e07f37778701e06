// The theme of VitePress with tables that fit, and drawings that a phone can show.
import theme from 'vitepress/theme';
import './pages.css';

export default theme;
