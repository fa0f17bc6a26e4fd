/** Bundles `app.js` of this folder as `npx react-native bundle` does, with the defaults of React Native's own Metro configuration. */

const { getDefaultConfig, mergeConfig } = require("@react-native/metro-config");
const { runBuild } = require("metro");

const config = mergeConfig(getDefaultConfig(__dirname), { watchFolders: [__dirname], reporter: { update() {} } });
runBuild(config, { entry: "app.js", out: "bundle.js", platform: "android", dev: false, minify: true }).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
